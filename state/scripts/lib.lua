-- Put in front of every script. Time is Redis' own, so that all nodes agree on it.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The id that every event so far is not above, and every later one is.
local function place_in_log(last, now)
  return string.format('%.0f', math.max(tonumber(last or '0'), now * 1024 - 1))
end
