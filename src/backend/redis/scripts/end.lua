-- KEYS: session. ARGV: 2 reason, 3 latest time of issue or '', 4 the successor it has to have, '' for
-- none or '*' for any, 5 its name.
local r, issued_by = look(1), tonumber(ARGV[3]) or LATEST
if r and r.revoked and IS_ENDED_ANNOUNCED then return 'refused' end
local is_over = is_kept(r) and (now >= kept_until(r) or r.issued > issued_by)
local ends = r and not r.revoked and not is_over
if ends then
  if is_kept(r) and ARGV[4] ~= '*' and (r.successor or '') ~= ARGV[4] then return 'changed' end
  overwrite(1, r, tonumber(ARGV[2]))
end
-- Nodes may hold what is gone from here.
return announce({ ARGV[5] }, ends and 'done' or 'refused')
