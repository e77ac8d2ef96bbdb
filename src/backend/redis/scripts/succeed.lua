-- KEYS: session. ARGV: 3 id, 4 successor, 5 grace, 6 its user, 7 the successor it has so far or ''.
-- Changes nothing but a session that is as its caller has seen it.
local r = look(KEYS[1])
local is_as_seen = is_kept(r) and not ended(r) and r.user == ARGV[6] and (r.successor or '') == ARGV[7]
if not is_as_seen then return 'refused' end
if r.successor then
  redis.call('SETRANGE', KEYS[1], redis.call('STRLEN', KEYS[1]) - 24, ARGV[4])
else
  retire(r, tonumber(ARGV[5]), ARGV[4])
end
announce({ ARGV[3] })
return 'done'
