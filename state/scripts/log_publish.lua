-- An event gets its place in the order of all events, is kept, and goes out, in one step.
-- KEYS: last, epoch, stream
-- ARGV: channel, packet without its end, sid that is left out ('-' for none), epoch to
--       begin if there is none, events kept, ms that they are kept
-- Returns its id.
local epoch = redis.call('GET', KEYS[2])
if not epoch then
  epoch = ARGV[4]
  redis.call('SET', KEYS[2], epoch)
end
local now = now_ms()
-- By the clock, so that no id is ever given twice, even if the store lost its last ones.
local id = math.max(now * 1024, tonumber(redis.call('GET', KEYS[1]) or '0') + 1)
local text = string.format('%.0f', id)
local packet = ARGV[2] .. ',"' .. epoch .. '-' .. text .. '"]'
redis.call('SET', KEYS[1], text)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], text .. '-0', 'p', packet, 's', ARGV[3])
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%.0f', (now - ARGV[6]) * 1024))
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PUBLISH', ARGV[1], text .. ' ' .. ARGV[3] .. ' ' .. packet)
return text
