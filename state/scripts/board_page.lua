-- Some of a board, in its order from the best.
-- KEYS: order, places. ARGV: 'top' | 'after' | 'around', after which text or around which
--       player, how many at most
-- Returns {players on the board, how many are before the first, how many have more than
-- he, the texts}.
local total = redis.call('ZCARD', KEYS[1])
local limit = tonumber(ARGV[3])
local start = 0
if ARGV[1] == 'after' then
  start = redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[2], '+')
elseif ARGV[1] == 'around' then
  local place = redis.call('HGET', KEYS[2], ARGV[2])
  if not place then
    return {total, 0, 0}
  end
  start = redis.call('ZREVRANK', KEYS[1], place .. ARGV[2]) - math.floor(limit / 2)
  start = math.max(0, math.min(start, total - limit))
end
local texts = redis.call('ZRANGE', KEYS[1], start, start + limit - 1, 'REV')
local ahead = 0
if texts[1] then  -- digits are below g, so this is above all texts of that score
  ahead = redis.call('ZLEXCOUNT', KEYS[1], '(' .. string.sub(texts[1], 1, 16) .. 'g', '+')
end
local answer = {total, start, ahead}
for _, text in ipairs(texts) do
  answer[#answer + 1] = text
end
return answer
