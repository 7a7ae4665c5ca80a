/** The Redis engine keeps the promises of the store on one real server. What happens when the server fails stands in `redis-faults.test.ts`. */
import { openStore } from '../../src/storage/open.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { keepsTheStoreContract } from './contract.ts'

keepsTheStoreContract(
  'Redis',
  async () => {
    const { url, stop } = await startRedis()
    return { open: ({ now }) => openStore({ url }, { now }), stop }
  },
  skipWithout('redis-server'),
)
