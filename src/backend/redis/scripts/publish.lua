-- Comes before scripts that announce what they change, where a server lets them.
-- Whatever was ended before was announced with its end.
local IS_ENDED_ANNOUNCED = true

-- Links hear a master's own channel at that master only, and the common one at all of them. A call
-- that was sent on to another server than the one it was meant for uses the common one: links may
-- not reach that server yet.
local function announce(ids, answer)
  if #ids == 0 then return answer end
  local channel, master = string.match(ARGV[1], '^(%S+) ?(%S*)$')
  if master ~= '' and redis.pcall('CLUSTER', 'MYID') == master then
    channel = channel .. ':' .. master
  end
  redis.call('PUBLISH', channel, '\1' .. table.concat(ids))
  return answer
end
