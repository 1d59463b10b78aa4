-- Set the scores of lent players, but of those who were marked again meanwhile: what the
-- caller read of them is old.
-- KEYS: dirty, then for each board its order and its places
-- ARGV: lease, when the boards expire (ms, '' for never), the marks' prefix, then for each
--       player his id, and for each board the digits of his score ('' for none) and of since
--       when he has it ('' for now, unless he had it before)
local now = string.format('%012x', 281474976710655 - now_ms())  -- 2^48 - 1

local function place(order, places, player, score, since)
  local was = redis.call('HGET', places, player)
  if was and score == string.sub(was, 1, 16) and since == '' then
    return
  end
  if was then
    redis.call('ZREM', order, was .. player)
  end
  if score == '' then
    redis.call('HDEL', places, player)
    return
  end
  local text = score .. (since == '' and now or since)
  redis.call('HSET', places, player, text)
  redis.call('ZADD', order, 0, text .. player)
end

for i = 4, #ARGV, #KEYS do
  local mark = ARGV[3] .. ARGV[i]
  if tonumber(redis.call('ZSCORE', KEYS[1], mark) or '') == tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], mark)
    for key = 2, #KEYS, 2 do
      place(KEYS[key], KEYS[key + 1], ARGV[i], ARGV[i + key - 1], ARGV[i + key])
    end
  end
end
if ARGV[2] ~= '' then
  for key = 2, #KEYS do
    redis.call('PEXPIREAT', KEYS[key], ARGV[2])
  end
end
