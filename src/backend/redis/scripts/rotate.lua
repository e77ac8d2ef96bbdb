-- KEYS: new session, old one; the index of the user, and what took the old one's place if anything.
-- ARGV: 2 new id, 3 grace, 4 1 if there is new data, 5 that after its length, 6 the names of the old
-- session, the user, and what took the old one's place.
local HAS_DATA = 2
local given, id, old = given_from(2, 6), ARGV[2], ARGV[6]

if redis.call('EXISTS', KEYS[1]) == 1 then return { 'taken' } end
local r = look(2)
if not r or (r.revoked and now >= r.till) then return { 'unknown' } end
if r.fault then return { r.fault } end
if r.revoked then return { 'ended', r.reason } end
if now >= remembered_until(r) then return { 'unknown' } end
local reason = ended(r)
if reason then return { 'ended', reason } end
local index, earlier = given[r.user], r.successor
if not index or (earlier and not given[earlier]) then
  return { 'again', { r.user, earlier or nil } }
end

-- A client that was not told of the new session has the old one rotated again: what nobody has
-- used makes room. A login that took over, known by its time of issue, does not.
local unused = earlier and look(given[earlier])
if earlier and not (is_current(unused) and unused.used == 0 and unused.issued == r.issued) then
  return { 'ended', REPLACED }
end

local flags, body = r.flags, redis.call('GETRANGE', KEYS[2], HEADER, -1)
if is_retired(flags) then flags = flags - RETIRED end
if earlier then body = string.sub(body, 1, -TAIL - 1) end
if ARGV[4] == '1' then
  if flags % (2 * HAS_DATA) < HAS_DATA then flags = flags + HAS_DATA end
  -- The length of the names: the last four of six bytes.
  body = string.sub(body, 1, number_at(r.header, 54) % 4294967296) .. ARGV[5]
end
local text = string.char(1, 0, flags) .. string.sub(r.header, 4, 21)
  .. bytes_of(math.min(now + r.idle, LATEST)) .. bytes_of(0) .. string.sub(r.header, 34) .. body
local new = parse(nil, text)

redis.call('SET', KEYS[1], text, 'PXAT', kept_until(new))
if earlier then
  overwrite(given[earlier], unused, REPLACED)
  forget(index, { earlier })
  local length = redis.call('STRLEN', KEYS[2])
  redis.call('SETRANGE', KEYS[2], math.floor(length - 24), id)
else
  retire(r, tonumber(ARGV[3]), id)
end
add_to_index(index, id, new.issued, kept_until(new))
return announce({ old, earlier or nil }, { 'done', text })
