-- KEYS: index of the user, the session to spare if any, the sessions in the index.
-- ARGV: 2 reason, 3 latest time of issue or '', 4 session to spare or '', 5 the names of the sessions.
local given, issued_by = given_from(2, 5), tonumber(ARGV[3]) or LATEST
local known = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local needed = {}
for i = 1, #known, 2 do table.insert(needed, known[i]) end

local spared, id = {}, ARGV[4]
while id and id ~= '' and not spared[id] do
  spared[id] = true
  table.insert(needed, id)
  local r = given[id] and look(given[id])
  id = is_kept(r) and r.successor
end
local again = again_for(given, needed)
if again then return again end

local gone, lost, line = {}, {}, {}
for i = 1, #known, 2 do
  local other = known[i]
  local r = look(given[other])
  -- What a newer release wrote is live there, whatever it says: only its time of issue is known.
  local is_open = is_kept(r) and now < kept_until(r) or (r and r.fault == NEWER)
  if is_forgotten(r) then
    table.insert(gone, other)
    if not r and not spared[other] then table.insert(lost, other) end
  elseif is_open and not spared[other] and tonumber(known[i + 1]) <= issued_by then
    table.insert(line, { id = other, record = r })
  end
end

local ids = overwrite_all(given, line, tonumber(ARGV[2]))
forget(1, gone)
forget(1, ids)
local changed = {}
for _, other in ipairs(ids) do table.insert(changed, other) end
-- Nodes may hold what is gone from here.
for _, other in ipairs(lost) do table.insert(changed, other) end
return announce(changed, { 'ended', ids })
