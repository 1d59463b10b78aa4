-- Where the log is. One that lost events which somebody has heard is another log from now on.
-- KEYS: last, epoch. ARGV: epoch to begin if need be, the newest id that the caller knows of
-- Returns {epoch, newest id}.
local known, last = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = redis.call('GET', KEYS[2])
if not epoch or last < known then
  epoch, last = ARGV[1], math.max(last, known)
  redis.call('SET', KEYS[2], epoch)
  redis.call('SET', KEYS[1], string.format('%.0f', last))
end
return {epoch, string.format('%.0f', last)}
