/**
 * Which of the 16384 hash slots of a Redis Cluster a key belongs to (Redis Cluster specification, "Key distribution model").
 */

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

/** CRC-16 (XMODEM) of the key's hash tag, the text between the first `{` and the next `}`, or of the whole key when there is none. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const hashed = Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key, 'utf8')
  let crc = 0
  for (const byte of hashed) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] ?? 0)
  return crc % 16384
}
