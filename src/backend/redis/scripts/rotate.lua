-- KEYS: old session, new one; the index of the user, and what took the old one's place if anything.
-- ARGV: 3 old id, 4 new id, 5 grace, 6 1 if there is new data, 7 that after its length.
local HAS_DATA = 2
local old_key, new_key, index, given = KEYS[1], KEYS[2], KEYS[3], given_from(4)

if redis.call('EXISTS', new_key) == 1 then return { 'taken' } end
local r = look(old_key)
if not r or (r.revoked and now >= r.till) then return { 'unknown' } end
if r.fault then return { r.fault } end
if r.revoked then return { 'ended', r.reason } end
if now >= remembered_until(r) then return { 'unknown' } end
local reason = ended(r)
if reason then return { 'ended', reason } end
local earlier = r.successor
if not index or (earlier and not given[earlier]) then
  return { 'again', { r.user, earlier or nil } }
end

-- A client that was not told of the new session has the old one rotated again: what nobody has
-- used makes room. A login that took over, known by its time of issue, does not.
local unused = earlier and look(given[earlier])
if earlier and not (is_current(unused) and unused.used == 0 and unused.issued == r.issued) then
  return { 'ended', REPLACED }
end

local flags, body = bit.band(r.flags, bit.bnot(RETIRED)), redis.call('GETRANGE', old_key, HEADER, -1)
if earlier then body = string.sub(body, 1, -TAIL - 1) end
if ARGV[6] == '1' then
  flags = bit.bor(flags, HAS_DATA)
  body = string.sub(body, 1, r.names) .. ARGV[7]
end
local text = string.char(1, 0, flags) .. string.sub(r.header, 4, 21)
  .. struct.pack('>I6I6', math.min(now + r.idle, LATEST), 0) .. string.sub(r.header, 34) .. body
local new = parse(nil, text)

redis.call('SET', new_key, text, 'PXAT', kept_until(new))
if earlier then
  overwrite(given[earlier], unused, REPLACED)
  forget(index, { earlier })
  redis.call('SETRANGE', old_key, redis.call('STRLEN', old_key) - 24, ARGV[4])
else
  retire(r, tonumber(ARGV[5]), ARGV[4])
end
add_to_index(index, ARGV[4], new.issued, kept_until(new))
announce({ ARGV[3], earlier or nil })
return { 'done', text }
