/**
 * Reads a QR code from a screenshot, as a phone would: what is tested is the picture a person sees, not the text it was made from.
 */
import jsQr from 'jsqr'
import type { Locator } from 'playwright-core'
import { PNG } from 'pngjs'

/** The text of the QR code inside that element. */
export async function readQr(element: Locator): Promise<string> {
  const { data, width, height } = PNG.sync.read(await element.screenshot())
  // The package is CommonJS: its function stands under `default` once more.
  const decode = (jsQr as unknown as { default: typeof jsQr.default }).default
  const found = decode(new Uint8ClampedArray(data), width, height)
  if (!found) throw new Error('there is no QR code in the screenshot')
  return found.data
}
