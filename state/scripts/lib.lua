-- Put in front of every script. Time is Redis' own, so that all nodes agree on it.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
