-- KEYS: index of a user, the sessions in it.
local index, given = KEYS[1], given_from(2)
local known = redis.call('ZRANGE', index, 0, -1)
local again = again_for(given, known)
if again then return again end

local gone, found = {}, {}
for _, id in ipairs(known) do
  local r = look(given[id])
  if is_forgotten(r) then
    table.insert(gone, id)
  elseif is_current(r) then
    table.insert(found, { id, redis.call('GET', given[id]) })
  end
end
forget(index, gone)
return { 'found', found }
