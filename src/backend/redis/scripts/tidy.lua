-- KEYS: index of a user, some of the sessions in it.
local gone = {}
for id, key in pairs(given_from(2)) do
  if is_forgotten(look(key)) then table.insert(gone, id) end
end
forget(KEYS[1], gone)
return 'done'
