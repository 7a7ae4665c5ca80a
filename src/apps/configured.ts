/**
 * Apps written into the configuration: held to the same rules as all others when the server starts, kept in memory with their
 * secrets digested. Reading files and options is left to `config/`.
 */
import { AppError, type FieldError } from '../errors.ts'
import type { App, ClientId } from './app.ts'
import { type ScopeRules, takeFields, type WantedFields } from './fields.ts'
import { checkDelegation, checkResourceServer, delegationOf } from './records.ts'
import { keptSecret } from './secrets.ts'

export interface ConfiguredApp extends WantedFields {
  readonly clientId: string
  readonly firstParty: boolean
  readonly clientSecret?: string | undefined
  readonly resourceServer?: string | undefined
  readonly mayAct?: string | undefined
  readonly actsFor?: readonly string[] | undefined
}

/** The apps by client id. @throws invalid_configuration naming every wrong field of every app. */
export function takeConfigured(
  wanted: readonly ConfiguredApp[],
  scopes: ScopeRules,
  now: number,
): ReadonlyMap<string, App> {
  const apps = new Map<string, App>()
  const problems: FieldError[] = []
  for (const [index, one] of wanted.entries()) {
    const at = `/apps/${index}`
    if (apps.has(one.clientId))
      problems.push({ code: 'not_unique', pointer: `${at}/client_id`, detail: `${one.clientId} is there twice.` })
    try {
      apps.set(one.clientId, toApp(one, scopes, now))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      for (const field of error.details.fields ?? []) problems.push({ ...field, pointer: at + field.pointer })
    }
  }
  if (problems.length > 0) {
    const lines = problems.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`)
    throw new AppError('invalid_configuration', lines.join('\n'), { details: { fields: problems } })
  }
  return apps
}

function toApp(wanted: ConfiguredApp, scopes: ScopeRules, now: number): App {
  const fields = takeFields(wanted, { firstParty: wanted.firstParty }, scopes)
  if (wanted.resourceServer !== undefined) checkResourceServer(wanted.resourceServer, fields.auth)
  checkDelegation(wanted)
  return {
    ...fields,
    clientId: wanted.clientId as ClientId,
    source: 'configuration',
    firstParty: wanted.firstParty,
    // What the operator writes into the configuration, the operator has checked.
    verified: true,
    ...(wanted.resourceServer ? { resourceServer: wanted.resourceServer } : {}),
    ...delegationOf(wanted),
    secrets: wanted.clientSecret === undefined ? [] : [keptSecret(wanted.clientSecret, now)],
    createdAt: now,
    updatedAt: now,
  }
}
