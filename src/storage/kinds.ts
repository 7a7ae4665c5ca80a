/**
 * Every kind of thing that is stored. `durable` kinds are acknowledged only when they are on disk (and on the declared replicas);
 * `volatile` ones cost a retry when lost. `unique` and `groups` name top-level fields of the stored value: a string field, or for
 * groups also an array of strings; a missing field is not indexed.
 */
export interface KindShape {
  readonly durable: boolean
  readonly unique: readonly string[]
  readonly groups: readonly string[]
}

export const kinds = {
  account: { durable: true, unique: ['emailKey'], groups: ['role', 'departure'] },
  factors: { durable: true, unique: [], groups: [] },
  one_time: { durable: true, unique: ['tokenDigest'], groups: ['accountId'] },
  device: { durable: true, unique: [], groups: ['accountId'] },
  picture: { durable: true, unique: [], groups: [] },
  app: { durable: true, unique: [], groups: ['ownerId', 'review', 'waiting', 'verifiedName'] },
  subject_link: { durable: true, unique: [], groups: ['accountId'] },
  resource: { durable: true, unique: ['claim'], groups: ['ownerId', 'state'] },
  consent: { durable: true, unique: [], groups: ['accountId', 'vendorId', 'sessionUid'] },
  consent_note: { durable: true, unique: [], groups: ['accountId', 'consentId'] },
  vendor: { durable: true, unique: [], groups: ['accountId'] },
  grant: { durable: true, unique: [], groups: ['accountId', 'sessionUid', 'consentId', 'vendorId'] },
  session: { durable: true, unique: ['uid'], groups: ['accountId'] },
  refresh_token: { durable: true, unique: [], groups: [] },
  signing_key: { durable: true, unique: [], groups: ['use'] },
  setup_link: { durable: true, unique: [], groups: [] },
  mail: { durable: true, unique: [], groups: ['state'] },
  meta: { durable: true, unique: [], groups: [] },
  authorization_code: { durable: true, unique: [], groups: [] },
  device_code: { durable: true, unique: ['userCodeDigest'], groups: [] },
  pushed_request: { durable: true, unique: [], groups: [] },
  replay: { durable: true, unique: [], groups: [] },
  denied_token: { durable: true, unique: [], groups: [] },
  key: { durable: true, unique: [], groups: ['listing', 'rootId', 'expiryDay', 'waiting'] },
  key_roster: { durable: true, unique: [], groups: [] },
  key_use: { durable: true, unique: [], groups: [] },
  key_notice: { durable: true, unique: [], groups: [] },
  usage: { durable: true, unique: [], groups: ['subject'] },
  elevation_request: { durable: true, unique: [], groups: ['ownerId'] },
  delegate: { durable: false, unique: [], groups: ['accountId'] },
  denial: { durable: false, unique: [], groups: ['ownerId'] },
  registration_token: { durable: true, unique: [], groups: ['handle'] },
  client_document: { durable: false, unique: [], groups: [] },
  client_software: { durable: false, unique: [], groups: [] },
  interaction: { durable: false, unique: [], groups: ['accountId'] },
} as const satisfies Record<string, KindShape>

export type Kind = keyof typeof kinds
