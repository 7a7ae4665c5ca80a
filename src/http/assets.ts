/**
 * Stylesheets, scripts and pictures from `views/assets`, read once at start and named by their content, so that a browser
 * may keep them for a year. The generated brand stylesheet and the operator's logo join them. The route is `server.ts`'s or the lead's.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { AppError } from '../errors.ts'
import { brandStylesheet } from './accent.ts'

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
}

/** A file as served. A picture opened by itself must not run scripts, hence `headers`. */
export interface Asset {
  readonly type: string
  readonly body: Uint8Array
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Assets {
  /** `/assets/…` with the hash in its name; throws a TypeError for a file that does not exist (a template's mistake). */
  url(name: string): string
  /** The asset of a hashed name (kept for a year) or a plain one (asked for again each time); undefined otherwise. */
  find(name: string): Asset | undefined
}

/** Reads the directory. `logo` is the path of the operator's own logo (svg, png or webp), if any. */
export function loadAssets(options: { directory: string; accent: string; logo?: string }): Assets {
  const files = readdirSync(options.directory).map(
    (name) => [name, compact(name, readFileSync(join(options.directory, name)))] as const,
  )
  const all: (readonly [string, Uint8Array])[] = [
    ...files,
    ['brand.css', Buffer.from(brandStylesheet(options.accent))] as const,
  ]
  if (options.logo) all.push([`logo${extname(options.logo)}`, readLogo(options.logo)])
  const byName = new Map<string, Asset>()
  const urls = new Map<string, string>()
  for (const [name, body] of all) {
    const digest = hash('sha256', body, 'hex').slice(0, 16)
    const extension = extname(name)
    const hashed = `${basename(name, extension)}.${digest}${extension}`
    urls.set(name, `/assets/${hashed}`)
    byName.set(hashed, toAsset(extension, body, digest, 'public, max-age=31536000, immutable'))
    byName.set(name, toAsset(extension, body, digest, 'public, no-cache'))
  }
  return {
    url(name) {
      const url = urls.get(name)
      if (!url) throw new TypeError(`there is no asset ${name}`)
      return url
    },
    find: (name) => byName.get(name),
  }
}

function toAsset(extension: string, body: Uint8Array, digest: string, cacheControl: string): Asset {
  const type = types[extension]
  if (!type) throw new TypeError(`assets of type ${extension} are not served`)
  return {
    type,
    body,
    etag: `"${digest}"`,
    headers: {
      'Content-Type': type,
      'Cache-Control': cacheControl,
      ETag: `"${digest}"`,
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    },
  }
}

/** Stylesheets lose comments and the blanks around braces, semicolons and commas; ours hold no string in which those matter. */
function compact(name: string, body: Buffer): Buffer {
  if (!name.endsWith('.css')) return body
  const text = body
    .toString('utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};,]) ?/g, '$1')
  return Buffer.from(text.trim())
}

function readLogo(path: string): Buffer {
  if (!['.svg', '.png', '.webp'].includes(extname(path))) {
    throw new AppError('invalid_configuration', 'brand.logo must be an svg, png or webp file')
  }
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new AppError('invalid_configuration', `brand.logo cannot be read: ${path}`, { cause })
  }
}
