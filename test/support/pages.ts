/**
 * A renderer over the real views and locales, and a small server that shows the samples with the headers every page really gets.
 * Only pages: no routes, no store. `flows` tests use the whole server instead.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createRenderer, type Renderer, type RendererOptions } from '../../src/http/page.ts'

const project = join(import.meta.dirname, '../..')
export const viewsDirectory = join(project, 'views')
export const localesDirectory = join(project, 'locales')

/** The CSP of every page (contract of `security/headers.ts`). */
const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}

/** The renderer with our own brand; `options` replace parts of it. */
export function createTestRenderer(options: Partial<RendererOptions> = {}): Renderer {
  const links = { privacy: '/privacy', terms: '/terms', support: 'mailto:help@example.test' }
  return createRenderer({
    viewsDirectory,
    localesDirectory,
    brand: { name: 'Licet', accent: '#4f46e5', links },
    issuer: 'http://localhost:4000',
    isDevelopment: false,
    ...options,
  })
}

/** What stands for every logo of an app. */
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#0f766e"/><path d="M20 15h26v34H20z" fill="#fff"/><path d="M20 15h6v34h-6z" fill="#99f6e4"/><path d="M31 25h10M31 32h10M31 39h6" stroke="#0f766e" stroke-width="3" stroke-linecap="round"/></svg>`

export interface ShownPages {
  readonly url: string
  close(): Promise<void>
}

/** Listens on a free loopback port; `draw` gets the URL and answers HTML, or undefined for 404. Assets are served as in production, logos with one that is drawn here. */
export async function showPages(renderer: Renderer, draw: (url: URL) => string | undefined): Promise<ShownPages> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const asset = url.pathname.startsWith('/assets/') ? renderer.assets().find(url.pathname.slice(8)) : undefined
    if (asset) return void response.writeHead(200, asset.headers).end(asset.body)
    if (url.pathname.startsWith('/logos/'))
      return void response.writeHead(200, { 'Content-Type': 'image/svg+xml' }).end(LOGO)
    const html = draw(url)
    if (html === undefined) return void response.writeHead(404).end()
    response.writeHead(200, pageHeaders).end(html)
  }
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
