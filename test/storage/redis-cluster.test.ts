/** The Redis engine keeps the promises of the store on a real cluster of three masters. */
import { openStore } from '../../src/storage/open.ts'
import { startCluster } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { keepsTheStoreContract } from './contract.ts'

keepsTheStoreContract(
  'Redis Cluster',
  async () => {
    const { url, stop } = await startCluster()
    return { open: ({ now }) => openStore({ url }, { now }), stop }
  },
  skipWithout('redis-server'),
)
