-- Who waits: those who have longest, and if there are more, some others by chance. Who was
-- away for too long waits no more.
-- KEYS: queue, away. ARGV: key prefix of tickets, how many of each
-- Returns {now, of each {player, ticket id, name, account, rating, stake, since}}.
local now = now_ms()
for _, player in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE')) do
  redis.call('ZREM', KEYS[2], player)
  redis.call('DEL', ARGV[1] .. player)
end

local players = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
local seen = {}
for _, player in ipairs(players) do
  seen[player] = true
end
if redis.call('ZCARD', KEYS[1]) > #players then
  for _, player in ipairs(redis.call('ZRANDMEMBER', KEYS[1], ARGV[2])) do
    if not seen[player] then
      players[#players + 1] = player
    end
  end
end

local tickets = {}
for i, player in ipairs(players) do
  local fields = redis.call('HMGET', ARGV[1] .. player,
    'id', 'name', 'account', 'rating', 'stake', 'since')
  tickets[i] = {player, unpack(fields)}
end
return {now, tickets}
