-- KEYS: session. ARGV: 2 1 to spare it if it was used, 3 its name.
local r = look(1)
if not is_current(r) or (ARGV[2] == '1' and r.used > 0) then return 'refused' end
overwrite(1, r, REPLACED)
return announce({ ARGV[3] }, 'done')
