-- KEYS: session. ARGV: 3 id, 4 1 to spare it if it was used.
local r = look(KEYS[1])
if not is_current(r) or (ARGV[4] == '1' and r.used > 0) then return 'refused' end
overwrite(KEYS[1], r, REPLACED)
announce({ ARGV[3] })
return 'done'
