/**
 * The picture of an account: PNG or WebP, told by its content and never decoded here. Kept in the store, so that every instance has it; a new
 * picture gets a new address, so that it can be cached for good. Text, places and whatever else cameras and editors put beside the image is
 * left out (PNG, WebP). The route that shows it belongs to a surface.
 */
import type { Caller } from '../observability/audit.ts'
import { type Picture, takePicture } from '../picture.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { Account } from './account.ts'
import type { Apply } from './apply.ts'

export interface Pictures {
  /** Takes the picture; `Account.picture` is its URL. @throws invalid_request, payload_too_large */
  set(caller: Caller, accountId: string, bytes: Uint8Array): Promise<Account>
  clear(caller: Caller, accountId: string): Promise<Account>
  /** By the two parts of its address; undefined for an old or invented one. */
  find(accountId: string, name: string): Promise<Picture | undefined>
}

interface PictureRecord {
  readonly type: Picture['type']
  readonly name: string
  readonly body: string
}

interface Dependencies {
  readonly store: Store
  readonly apply: Apply
  readonly issuer: string
}

export function createPictures({ store, apply, issuer }: Dependencies): Pictures {
  return {
    async set(caller, accountId, given) {
      const { type, bytes } = takePicture(Buffer.from(given))
      const name = digest('picture', bytes.toString('base64')).slice(0, 22)
      const value: PictureRecord = { type, name, body: bytes.toString('base64') }
      await store.put('picture', { id: accountId, value }, 'replace')
      const picture = `${issuer}/pictures/${accountId}/${name}`
      return apply(caller, 'account.picture_changed', accountId, (record) => ({ ...record, picture }))
    },
    async clear(caller, accountId) {
      await store.remove('picture', accountId)
      return apply(caller, 'account.picture_removed', accountId, ({ picture: _picture, ...rest }) => rest)
    },
    async find(accountId, name) {
      const record = (await store.find<PictureRecord>('picture', accountId))?.value
      return record?.name === name ? { type: record.type, bytes: Buffer.from(record.body, 'base64') } : undefined
    },
  }
}
