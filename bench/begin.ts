/**
 * From nothing to the first token, and what an idle process holds: on an empty directory, so the store and the keys are made too.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { median } from './figures.ts'
import { mainScript, serviceApp, startLicet } from './licet.ts'
import { measure, tokenRequest } from './load.ts'
import type { Size } from './sections.ts'

export async function startUp({ rounds, quick }: Size): Promise<void> {
  console.log(`\nStart and memory (${mainScript().endsWith('.ts') ? 'from source' : 'compiled'}, SQLite)`)
  const [ready, first, idle, busy] = [[], [], [], []] as number[][]
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    const server = await startLicet({ name: 'Licet' })
    const began = performance.now()
    const request = tokenRequest(await serviceApp(server))
    const registered = performance.now() - began
    const token = await measure(server, request, { amount: 1, connections: 1 })
    ready?.push(server.readyAfterMs)
    // The app is registered by hand from another process; that time is nobody's start.
    first?.push(performance.now() - began - registered + server.readyAfterMs)
    await pause(quick ? 200 : 2000)
    idle?.push((await server.process.usage()).residentBytes / 1e6)
    await measure(server, request, { amount: quick ? 200 : 10_000 })
    busy?.push((await server.process.usage()).residentBytes / 1e6)
    if (token.requestsPerSecond === 0) throw new Error('no token')
    await server.stop()
  }
  const said = (values: number[] | undefined, unit: string) => `${median(values ?? []).toFixed(0)} ${unit}`
  console.log(`  ready after ${said(ready, 'ms')}, first token after ${said(first, 'ms')} (aim 2000)`)
  console.log(`  idle ${said(idle, 'MB')} resident (aim 130), after load ${said(busy, 'MB')}`)
}
