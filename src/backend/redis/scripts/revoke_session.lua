-- KEYS: session, those that took its place. ARGV: 2 reason, 3 latest time of issue or '', 4 the names
-- of the sessions.
-- The index keeps what ends here: whoever looks at it next takes it out.
local given, first, issued_by = given_from(1, 4), ARGV[4], tonumber(ARGV[3]) or LATEST
local line, needed, seen, id = {}, {}, {}, first
local was_revoked = false
while id and not seen[id] do
  seen[id] = true
  if id ~= first then table.insert(needed, id) end
  if not given[id] then return { 'again', needed } end
  local r = look(given[id])
  was_revoked = was_revoked or (id == first and r and r.revoked)
  if is_forgotten(r) then break end
  if is_kept(r) and (now >= kept_until(r) or r.issued > issued_by) then break end
  table.insert(line, { id = id, record = r })
  id = r.successor
end
local ids = overwrite_all(given, line, tonumber(ARGV[2]))
-- Nodes may hold what is gone from here.
local is_known = #ids > 0 or (was_revoked and IS_ENDED_ANNOUNCED)
return announce(is_known and ids or { first }, { 'ended', ids })
