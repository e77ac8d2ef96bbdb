-- KEYS: session, index of its user, session to retire if any; under a cap the sessions of the user.
-- ARGV: 3 record, 4 id, 5 cap or -1, 6 session to retire or '', 7 its grace.
local key, index, given = KEYS[1], KEYS[2], given_from(3)
local id, cap, old, grace = ARGV[4], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
-- More than so many sessions of a user are more than most have: some of them may be gone.
local MANY, SAMPLE = 16, 8

if redis.call('EXISTS', key) == 1 then return { 'taken' } end
local new = parse(nil, ARGV[3])

local known = cap >= 0 and redis.call('ZRANGE', index, 0, -1) or {}
local again = again_for(given, known)
if again then return again end

local retired = nil
if old ~= '' then
  local r = look(given[old])
  if is_current(r) and r.user == new.user then retired = r end
end

local gone, current = {}, {}
for _, other in ipairs(known) do
  local r = look(given[other])
  if is_forgotten(r) then
    table.insert(gone, other)
  elseif is_current(r) and not (retired and other == old) then
    table.insert(current, { id = other, record = r })
  end
end

local excess = {}
for i = 1, #current - math.max(cap - 1, 0) do excess[i] = current[i] end

redis.call('SET', key, ARGV[3], 'PXAT', kept_until(new))
local replaced = overwrite_all(given, excess, REPLACED)
forget(index, gone)
forget(index, replaced)
add_to_index(index, id, new.issued, kept_until(new))
local answer = { 'kept', {}, {} }
for i, other in ipairs(replaced) do answer[2][i] = other end
if cap < 0 and redis.call('ZCARD', index) > MANY then
  answer[3] = redis.call('ZRANDMEMBER', index, SAMPLE)
end
if retired then
  retire(retired, grace, id)
  table.insert(replaced, old)
end
announce(replaced)
return answer
