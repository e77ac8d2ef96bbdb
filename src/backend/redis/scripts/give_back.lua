-- Comes before scripts that announce what they change, where a server lets no script do that: the
-- store does it, before it says that anything is done.
-- Whoever has ended something may not have come to that.
local IS_ENDED_ANNOUNCED = false

local function announce(ids, answer) return { 'changed', answer, ids } end
