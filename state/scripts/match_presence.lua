-- A waiting player is gone, or back: while he is away he keeps his place, for a while.
-- KEYS: queue, away, ticket. ARGV: player, his sockets, the sequence of that, grace in ms
local state, seq, since = unpack(redis.call('HMGET', KEYS[3], 'state', 'seq', 'since'))
-- Of one who is being paired, whoever pairs him looks whether he is there.
if not state or state == 'claimed' or tonumber(ARGV[3]) <= tonumber(seq) then
  return
end
redis.call('HSET', KEYS[3], 'seq', ARGV[3])
if ARGV[2] == '0' and state == 'waiting' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[2], now_ms() + ARGV[4], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'away')
elseif ARGV[2] ~= '0' and state == 'away' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZADD', KEYS[1], since, ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'waiting')
end
