/**
 * Adds two counters of 8 bytes, byte by byte: Lua's numbers hold no 64 bits. KEYS: the counter, where the operation is remembered (empty:
 * none). ARGV: the bytes to add, how long to remember.
 */
const ADD = `
local remembered = KEYS[2] ~= '' and redis.call('GET', KEYS[2])
if remembered then return remembered end
local old = redis.call('GET', KEYS[1])
local value = old or string.rep('\\0', 8)
if #value ~= 8 then return redis.error_reply('WHORL_NOT_A_COUNTER') end
local sum, carry = {}, 0
for i = 1, 8 do
  local byte = value:byte(i) + ARGV[1]:byte(i) + carry
  carry = byte >= 256 and 1 or 0
  sum[i] = string.char(byte % 256)
end
local negative = function(bytes) return bytes:byte(8) >= 128 end
local result = table.concat(sum)
if negative(value) == negative(ARGV[1]) and negative(result) ~= negative(value) then return redis.error_reply('WHORL_OVERFLOW') end
redis.call('SET', KEYS[1], result, 'KEEPTTL')
if KEYS[2] ~= '' then redis.call('SET', KEYS[2], result, 'PX', ARGV[2]) end
return result`;

/** KEYS: the key. ARGV: whether something is expected, what; whether something takes its place, what; its time to live (0: none). */
const SWAP = `
local old = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if old ~= ARGV[2] then return 0 end
elseif old then
  return 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1`;

export const REDIS_SCRIPTS = {
  whorlAdd: { lua: ADD, numberOfKeys: 2 },
  whorlSwap: { lua: SWAP, numberOfKeys: 1 },
};
