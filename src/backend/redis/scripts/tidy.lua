-- KEYS: index of a user, some of the sessions in it. ARGV: 2 the names of these.
local gone = {}
for id, at in pairs(given_from(2, 2)) do
  if is_forgotten(look(at)) then table.insert(gone, id) end
end
forget(1, gone)
return 'done'
