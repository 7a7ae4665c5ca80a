import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { PICTURE_LIMIT_BYTES, takePicture } from '../../src/picture.ts'
import { png, pngChunk, vp8l, vp8x, webp, webpChunk } from '../support/pictures.ts'

const isRefused = (error: unknown) => hasCode(error, 'invalid_request')
const secret = Buffer.from('taken at 51.4778 N, 0.0015 W')

test('a PNG and a WebP are told by their content', () => {
  assert.equal(takePicture(png(3, 2)).type, 'image/png')
  assert.equal(takePicture(webp([vp8l(3, 2)])).type, 'image/webp')
})

test('text, EXIF and XMP are left out, the image stays', () => {
  const noisy = png(3, 2, [pngChunk('tEXt', secret), pngChunk('eXIf', secret), pngChunk('iTXt', secret)])
  assert.deepEqual(takePicture(noisy).bytes, png(3, 2))
  const tagged = webp([vp8x(3, 2, 0x0c), vp8l(3, 2), webpChunk('EXIF', secret), webpChunk('XMP ', secret)])
  const { bytes } = takePicture(tagged)
  assert.ok(!bytes.includes(secret))
  assert.deepEqual(bytes, webp([vp8x(3, 2, 0), vp8l(3, 2)]))
})

test('attack: SVG, HTML, GIF, JPEG and files that only begin like a picture are refused', () => {
  const whole = png(3, 2)
  const wrongSum = Buffer.from(whole)
  wrongSum[20] = 9
  const texts = ['<svg xmlns="http://www.w3.org/2000/svg"/>', '<!doctype html>', 'GIF89a', '\xff\xd8\xff\xe0', '']
  const files = [
    ...texts.map((text) => Buffer.from(text, 'latin1')),
    whole.subarray(0, 8),
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, Buffer.from('<script>alert(1)</script>')]),
    wrongSum,
    Buffer.concat([webp([vp8l(3, 2)]), Buffer.from('PK')]),
    webp([webpChunk('ANIM', Buffer.alloc(6)), webpChunk('ANMF', Buffer.alloc(24))]),
    webp([webpChunk('VP8 ', Buffer.alloc(12))]),
    Buffer.alloc(100),
  ]
  for (const file of files) assert.throws(() => takePicture(file), isRefused, file.toString('latin1').slice(0, 20))
})

test('DO attack: a picture of huge sides, or whose canvas is not its image, is refused', () => {
  for (const file of [png(2049, 1), png(0, 1), png(0xffffffff, 0xffffffff), webp([vp8l(2049, 1)])]) {
    assert.throws(() => takePicture(file), isRefused)
  }
  assert.throws(() => takePicture(webp([vp8x(16_000_000, 16_000_000, 0), vp8l(3, 2)])), isRefused)
})

test('a picture has at most 256 kB', () => {
  assert.throws(
    () => takePicture(Buffer.alloc(PICTURE_LIMIT_BYTES + 1)),
    (error) => hasCode(error, 'payload_too_large'),
  )
})
