-- KEYS: session, index of its user.
-- ARGV: 3 record, 4 id, 5 cap or -1, 6 session to retire or '', 7 its grace.
local key, index = KEYS[1], KEYS[2]
local id, cap, old, grace = ARGV[4], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])

if redis.call('EXISTS', key) == 1 then return { 'taken' } end
local new = parse(nil, ARGV[3])

local retired = nil
if old ~= '' then
  local r = look(session_key(old))
  if is_current(r) and r.user == new.user then retired = r end
end

-- Without a cap nobody counts, and a few are looked at only to forget what is gone.
local known
if cap >= 0 then known = redis.call('ZRANGE', index, 0, -1)
else known = redis.call('ZRANDMEMBER', index, 8) end
local gone, current = {}, {}
for _, other in ipairs(known) do
  local r = look(session_key(other))
  if is_forgotten(r) then
    table.insert(gone, other)
  elseif is_current(r) and not (retired and other == old) then
    table.insert(current, { id = other, record = r })
  end
end

local excess = {}
if cap >= 0 then
  for i = 1, #current - math.max(cap - 1, 0) do excess[i] = current[i] end
end

redis.call('SET', key, ARGV[3], 'PXAT', kept_until(new))
forget(index, gone)
local replaced = overwrite_all(excess, REPLACED)
add_to_index(index, id, new)
local answer = { 'kept' }
for i, other in ipairs(replaced) do answer[i + 1] = other end
if retired then
  retire(retired, grace, id)
  table.insert(replaced, old)
end
announce(replaced)
return answer
