-- A login that is more than add.lua.
-- KEYS: session, index of its user, session to retire if any; under a cap the sessions of the user.
-- ARGV: 2 record, 3 id, 4 cap or -1, 5 session to retire or '', 6 its grace, 7 the names of the
-- sessions from the third key on.
local given, id, cap = given_from(3, 7), ARGV[3], tonumber(ARGV[4])
local old, grace = ARGV[5], tonumber(ARGV[6])
-- More than so many sessions of a user are more than most have: some of them may be gone.
local MANY, SAMPLE = 16, 8

if redis.call('EXISTS', KEYS[1]) == 1 then return { 'taken' } end
local new = parse(nil, ARGV[2])

local known = cap >= 0 and redis.call('ZRANGE', KEYS[2], 0, -1) or {}
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

redis.call('SET', KEYS[1], ARGV[2], 'PXAT', kept_until(new))
local replaced = overwrite_all(given, excess, REPLACED)
forget(2, gone)
forget(2, replaced)
add_to_index(2, id, new.issued, kept_until(new))
local answer = { 'kept', {}, {} }
for i, other in ipairs(replaced) do answer[2][i] = other end
if cap < 0 and redis.call('ZCARD', KEYS[2]) > MANY then
  answer[3] = redis.call('ZRANDMEMBER', KEYS[2], SAMPLE)
end
if retired then
  retire(retired, grace, id)
  table.insert(replaced, old)
end
return announce(replaced, answer)
