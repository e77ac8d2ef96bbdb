-- KEYS: index of a user, the sessions in it. ARGV: 2 the names of these.
local given = given_from(2, 2)
local known = redis.call('ZRANGE', KEYS[1], 0, -1)
local again = again_for(given, known)
if again then return again end

local gone, found = {}, {}
for _, id in ipairs(known) do
  local at = given[id]
  local r = look(at)
  if is_forgotten(r) then
    table.insert(gone, id)
  elseif is_current(r) then
    table.insert(found, { id, redis.call('GET', KEYS[at]) })
  end
end
forget(1, gone)
return { 'found', found }
