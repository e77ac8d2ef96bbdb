-- KEYS: session. ARGV: 2 successor, 3 grace, 4 its user, 5 the successor it has so far or '', 6 its name.
-- Changes nothing but a session that is as its caller has seen it.
local r = look(1)
local is_as_seen = is_kept(r) and not ended(r) and r.user == ARGV[4] and (r.successor or '') == ARGV[5]
if not is_as_seen then return 'refused' end
if r.successor then
  local length = redis.call('STRLEN', KEYS[1])
  redis.call('SETRANGE', KEYS[1], math.floor(length - 24), ARGV[2])
else
  retire(r, tonumber(ARGV[3]), ARGV[2])
end
return announce({ ARGV[6] }, 'done')
