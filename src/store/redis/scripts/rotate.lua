-- KEYS: old session, new one. ARGV: 3 old id, 4 new id, 5 grace, 6 1 if there is new data, 7 that after its length.
local HAS_DATA = 2
local old_key, new_key = KEYS[1], KEYS[2]

if redis.call('EXISTS', new_key) == 1 then return { 'taken' } end
local r = look(old_key)
if not r or (r.revoked and now >= r.till) then return { 'unknown' } end
if r.fault then return { r.fault } end
if r.revoked then return { 'ended', r.reason } end
if now >= remembered_until(r) then return { 'unknown' } end
local reason = ended(r)
if reason then return { 'ended', reason } end
if r.successor then return { 'ended', REPLACED } end

local flags, body = r.flags, redis.call('GETRANGE', old_key, HEADER, -1)
if ARGV[6] == '1' then
  flags = bit.bor(flags, HAS_DATA)
  body = string.sub(body, 1, r.names) .. ARGV[7]
end
local text = string.char(1, 0, flags) .. string.sub(r.header, 4, 21)
  .. struct.pack('>I6I6', math.min(now + r.idle, LATEST), 0) .. string.sub(r.header, 34) .. body
local new = parse(nil, text)

redis.call('SET', new_key, text, 'PXAT', kept_until(new))
add_to_index(index_key(r.user), ARGV[4], new)
retire(r, tonumber(ARGV[5]), ARGV[4])
announce({ ARGV[3] })
return { 'done', text }
