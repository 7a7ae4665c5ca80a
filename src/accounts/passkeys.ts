/**
 * Passkeys (WebAuthn level 3): registering one and signing in with one, always with user verification, so that a passkey is worth `phr`.
 * The only file that imports @simplewebauthn/server, which verifies the ceremony; whose key it is, that a challenge is used once and that a
 * counter only rises is decided here. Which passkeys may be removed stands in `factors.ts`.
 */
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { cleanName } from '../display-name.ts'
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { randomId } from '../secrets.ts'
import type { Account } from './account.ts'
import type { FactorRecord, FactorRecords, PasskeyRecord } from './factor-record.ts'
import type { PasskeyChallenges } from './passkey-challenges.ts'

/** Options for the browser, as JSON, and the handle that must come back with its answer. */
export interface Ceremony<O> {
  readonly handle: string
  readonly options: O
}

export interface PasskeySignIn {
  readonly accountId: string
  readonly passkeyId: string
}

export interface Passkeys {
  beginRegistration(account: Account): Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>
  /**
   * `response` is what the browser answered, unchecked. @throws invalid_request when the ceremony does not hold (wrong origin, challenge,
   * account, no user verification), conflict for a passkey that is registered already or beyond twenty
   */
  finishRegistration(
    caller: Caller,
    account: Account,
    answer: { readonly handle: string; readonly response: unknown; readonly name?: string | undefined },
  ): Promise<PasskeyRecord>
  /** Without an account any passkey of this server may answer, and nothing is told about any (threats.md LG2). */
  beginSignIn(accountId?: string): Promise<Ceremony<PublicKeyCredentialRequestOptionsJSON>>
  /** Whose passkey signed; undefined when anything does not hold. A ceremony begun for an account is good for that account only. */
  finishSignIn(answer: { readonly handle: string; readonly response: unknown }): Promise<PasskeySignIn | undefined>
}

const MOST = 20
/** ES256, EdDSA, RS256. */
const ALGORITHMS = [-7, -8, -257]
const LONGEST_ID = 1400

interface Dependencies {
  readonly records: FactorRecords
  readonly challenges: PasskeyChallenges
  readonly audit: Audit
  readonly now: () => number
  readonly issuer: string
  /** What the browser calls this server. */
  readonly issuerName: string
}

export function createPasskeys(dependencies: Dependencies): Passkeys {
  const { records, challenges, audit, now, issuer, issuerName } = dependencies
  const { hostname: rpID, origin } = new URL(issuer)
  const expected = (challenge: string) => ({
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpID,
    requireUserVerification: true,
  })
  const named = ({ passkeys }: FactorRecord) =>
    passkeys.map((key) => ({ id: key.credentialId, transports: [...key.transports] }))

  return {
    async beginRegistration(account) {
      const { handle, challenge } = challenges.make('registration', account.id)
      const options = await generateRegistrationOptions({
        rpName: issuerName,
        rpID,
        userID: new TextEncoder().encode(account.id),
        userName: account.email,
        userDisplayName: account.name,
        challenge: Buffer.from(challenge, 'base64url'),
        attestationType: 'none',
        excludeCredentials: named(await records.find(account.id)),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: ALGORITHMS,
      })
      return { handle, options }
    },
    async finishRegistration(caller, account, { handle, response, name = '' }) {
      const taken = await challenges.take('registration', handle)
      if (!taken || taken.accountId !== account.id || !isTopLevel(response)) throw refused()
      const verified = await verifyRegistrationResponse({
        response: response as RegistrationResponseJSON,
        ...expected(taken.challenge),
        supportedAlgorithmIDs: ALGORITHMS,
      }).catch((error: unknown) => {
        throw refused(error)
      })
      if (!verified.verified || verified.registrationInfo.credential.id.length > LONGEST_ID) throw refused()
      const { credential, credentialBackedUp } = verified.registrationInfo
      const passkey: PasskeyRecord = {
        id: randomId(),
        credentialId: credential.id,
        publicKey: Buffer.from(credential.publicKey).toString('base64url'),
        counter: credential.counter,
        transports: (credential.transports ?? []).filter((one) => /^[a-z-]{1,20}$/.test(one)).slice(0, 8),
        backedUp: credentialBackedUp,
        name: cleanName(name) ?? 'Passkey',
        createdAt: now(),
      }
      const entry = {
        event: 'factor.added',
        accountId: account.id,
        subject: passkey.id,
        details: { factor: 'passkey' },
      }
      await audit.record(caller, entry, () => records.change(account.id, (record) => withPasskey(record, passkey)))
      return passkey
    },
    async beginSignIn(accountId) {
      const { handle, challenge } = challenges.make('sign_in', accountId)
      const options = await generateAuthenticationOptions({
        rpID,
        challenge: Buffer.from(challenge, 'base64url'),
        userVerification: 'required',
        ...(accountId === undefined ? {} : { allowCredentials: named(await records.find(accountId)) }),
      })
      return { handle, options }
    },
    async finishSignIn({ handle, response }) {
      const taken = await challenges.take('sign_in', handle)
      const answer = taken && readAnswer(response)
      if (!answer || !isTopLevel(response)) return undefined
      const accountId = taken.accountId ?? answer.accountId
      // The key says whose it is; it must be who the sign-in is about.
      if (accountId === undefined || (answer.accountId ?? accountId) !== accountId) return undefined
      const passkey = (await records.find(accountId)).passkeys.find((key) => key.credentialId === answer.credentialId)
      if (!passkey) return undefined
      const verified = await verifyAuthenticationResponse({
        response: response as AuthenticationResponseJSON,
        ...expected(taken.challenge),
        credential: {
          id: passkey.credentialId,
          publicKey: Buffer.from(passkey.publicKey, 'base64url'),
          counter: passkey.counter,
        },
      }).catch(() => undefined)
      if (!verified?.verified || !verified.authenticationInfo.userVerified) return undefined
      const counter = verified.authenticationInfo.newCounter
      const used = await records.change(accountId, (record) => withUse(record, passkey.id, counter, now()))
      return used ? { accountId, passkeyId: passkey.id } : undefined
    },
  }
}

/** Browsers say when a page inside a foreign frame asked; none of ours may be framed. */
function isTopLevel(response: unknown): boolean {
  try {
    const { clientDataJSON } = (response as { response: { clientDataJSON: string } }).response
    const client = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) as Record<string, unknown>
    return client['crossOrigin'] !== true && client['topOrigin'] === undefined
  } catch {
    return false
  }
}

function readAnswer(response: unknown): { credentialId: string; accountId?: string } | undefined {
  const { id, response: inner } = (response ?? {}) as { id?: unknown; response?: { userHandle?: unknown } }
  if (typeof id !== 'string' || id.length > LONGEST_ID) return undefined
  const userHandle = inner?.userHandle
  if (userHandle === undefined || userHandle === null || userHandle === '') return { credentialId: id }
  const accountId = typeof userHandle === 'string' ? Buffer.from(userHandle, 'base64url').toString('utf8') : ''
  return /^[0-9A-Za-z]{1,64}$/.test(accountId) ? { credentialId: id, accountId } : undefined
}

function withPasskey(record: FactorRecord, passkey: PasskeyRecord): FactorRecord {
  if (record.passkeys.some(({ credentialId }) => credentialId === passkey.credentialId)) {
    throw new AppError('conflict', 'This passkey is registered already.')
  }
  if (record.passkeys.length >= MOST) throw new AppError('conflict', `An account has at most ${MOST} passkeys.`)
  return { ...record, passkeys: [...record.passkeys, passkey] }
}

/** Undefined when the passkey was removed meanwhile, or its counter did not rise since: a copy of the key (WebAuthn §7.2, step 22). */
function withUse(record: FactorRecord, id: string, counter: number, at: number): FactorRecord | undefined {
  const passkey = record.passkeys.find((key) => key.id === id)
  if (!passkey || ((counter > 0 || passkey.counter > 0) && counter <= passkey.counter)) return undefined
  const used = { ...passkey, counter, lastUsedAt: at }
  return { ...record, passkeys: record.passkeys.map((key) => (key.id === id ? used : key)) }
}

function refused(cause?: unknown): AppError {
  return new AppError('invalid_request', 'The passkey could not be registered. Try again.', { cause })
}
