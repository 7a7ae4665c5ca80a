/**
 * What holds for apps that people register themselves, whichever way they do it: whose app it is, and how many one may have.
 */
import { AppError } from '../errors.ts'
import type { App } from './app.ts'
import type { Apps } from './apps.ts'

/** Apps of one account. */
const MOST_APPS = 100

/** The app, for its owner. @throws not_found, for a foreign app too. */
export async function getOwnApp(apps: Pick<Apps, 'find'>, ownerId: string, clientId = ''): Promise<App> {
  const app = await apps.find(clientId)
  if (app?.ownerId === ownerId) return app
  throw new AppError('not_found', 'There is no such app.')
}

/** @throws forbidden for an account whose address is not verified, conflict for one that has as many apps as it may. */
export async function refuseMoreApps(
  apps: Pick<Apps, 'list'>,
  { id, emailVerified }: { readonly id: string; readonly emailVerified: boolean },
): Promise<void> {
  if (!emailVerified) throw new AppError('forbidden', 'Confirm your mail address first.')
  const { items } = await apps.list({ ownerId: id, limit: MOST_APPS })
  if (items.length >= MOST_APPS) throw new AppError('conflict', `You have ${MOST_APPS} apps; remove one first.`)
}
