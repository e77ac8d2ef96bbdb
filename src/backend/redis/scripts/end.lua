-- KEYS: session. ARGV: 3 id, 4 reason, 5 latest time of issue or '', 6 the successor it has to have, ''
-- for none or '*' for any.
local r, issued_by = look(KEYS[1]), tonumber(ARGV[5]) or LATEST
if r and r.revoked then return 'refused' end
local ends = r and not (is_kept(r) and (now >= kept_until(r) or r.issued > issued_by))
if ends then
  if is_kept(r) and ARGV[6] ~= '*' and (r.successor or '') ~= ARGV[6] then return 'changed' end
  overwrite(KEYS[1], r, tonumber(ARGV[4]))
end
-- Nodes may hold what is gone from here.
announce({ ARGV[3] })
return ends and 'done' or 'refused'
