/** The Redis engine keeps the promises of the store on a real master with replica, behind three sentinels. */
import { openStore } from '../../src/storage/open.ts'
import { startSentinel } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { keepsTheStoreContract } from './contract.ts'

keepsTheStoreContract(
  'Redis behind Sentinel',
  async () => {
    const { url, stop } = await startSentinel()
    return { open: ({ now }) => openStore({ url }, { now }), stop }
  },
  skipWithout('redis-server'),
)
