/**
 * The logo of an app: taken as a picture (`picture.ts`), kept in the store, at a new address when it changes. It is part of what an operator has looked
 * at: a new one takes the mark of a verified app away, and people see it only while the app has that mark, for a logo of somebody else says more than
 * a name.
 */
import type { Caller } from '../observability/audit.ts'
import { type Picture, takePicture } from '../picture.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { App } from './app.ts'
import type { Apps } from './apps.ts'
import { withNewFace } from './records.ts'

export interface Logos {
  /** @throws invalid_request, payload_too_large */
  set(caller: Caller, clientId: string, bytes: Uint8Array): Promise<App>
  clear(caller: Caller, clientId: string): Promise<App>
  /** By the two parts of its address; undefined for an old or invented one. */
  find(clientId: string, name: string): Promise<Picture | undefined>
}

interface LogoRecord {
  readonly type: Picture['type']
  readonly name: string
  readonly body: string
}

/** Under which it is kept among the pictures. */
export const logoId = (clientId: string): string => `app ${clientId}`

/** Where it is shown, a path of this server. */
export function logoPath({ clientId, logo }: Pick<App, 'clientId' | 'logo'>): string | undefined {
  return logo === undefined ? undefined : `/logos/${clientId}/${logo}`
}

export function createLogos({ store, apps }: { store: Store; apps: Pick<Apps, 'replace'> }): Logos {
  return {
    async set(caller, clientId, given) {
      const { type, bytes } = takePicture(Buffer.from(given))
      const body = bytes.toString('base64')
      const logo = digest('logo', body).slice(0, 22)
      const value: LogoRecord = { type, name: logo, body }
      await store.put('picture', { id: logoId(clientId), value }, 'replace')
      return apps.replace(caller, clientId, (app) => withNewFace(app, { ...app, logo }))
    },
    async clear(caller, clientId) {
      await store.remove('picture', logoId(clientId))
      return apps.replace(caller, clientId, (app) => {
        const { logo: _gone, ...bare } = app
        return withNewFace(app, bare)
      })
    },
    async find(clientId, name) {
      const record = (await store.find<LogoRecord>('picture', logoId(clientId)))?.value
      return record?.name === name ? { type: record.type, bytes: Buffer.from(record.body, 'base64') } : undefined
    },
  }
}
