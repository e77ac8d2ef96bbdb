-- KEYS: index of a user.
local gone, found = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = session_key(id)
  local r = look(key)
  if is_forgotten(r) then
    table.insert(gone, id)
  elseif is_current(r) then
    table.insert(found, { id, redis.call('GET', key) })
  end
end
forget(KEYS[1], gone)
return found
