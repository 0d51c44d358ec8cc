import { Session } from 'node:inspector'

// Imports the modules named by the arguments, and prints what that took. With `--bytes` first it prints how much source
// was compiled instead: looking at that takes time of its own.
const [first, ...rest] = process.argv.slice(2)
const countsBytes = first === '--bytes'
const modules = countsBytes ? rest : process.argv.slice(2)
let bytes = 0
if (countsBytes) {
  const session = new Session()
  session.connect()
  session.on('Debugger.scriptParsed', ({ params }) => {
    if (params.url.startsWith('file:')) bytes += params.length ?? 0
  })
  session.post('Debugger.enable')
  bytes = 0 // what was there before the imports
}
const startMs = performance.now()
for (const name of modules) await import(name)
const tookMs = performance.now() - startMs
console.log(countsBytes ? bytes : tookMs)
process.exit()
