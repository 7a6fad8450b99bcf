import swc from '@swc/core/Visitor.js'

// swc parses `using x = …`, but the visitor that dependency-cruiser builds on stops at it.
const { visitStatement } = swc.Visitor.prototype
swc.Visitor.prototype.visitStatement = function visit(statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  this.visitVariableDeclarators(statement.decls)
  return statement
}

// Who may import whom. Rooms from top to bottom: a room may import the rooms of the floors below its own, no other.
// `npm run imports` checks it; docs/architecture.md explains it.
export const floors = [
  ['cli'],
  ['commands'],
  ['studies'],
  ['doctor', 'stages'],
  ['runtime'],
  ['checkpoint'],
  ['config'],
  ['models', 'sample', 'train'],
  ['losses', 'engine', 'data'],
  ['nn', 'report', 'store', 'vision'],
  ['ops', 'metrics', 'formats'],
  ['base'],
]

const inRoom = (rooms) => `^src/(${rooms.join('|')})(/|\\.ts$)`

/** For each floor: none of its rooms imports another room of its own floor, or of a floor above. */
const upwards = floors.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    name: `${room}-imports-down-only`,
    severity: 'error',
    from: { path: inRoom([room]) },
    to: { path: inRoom(floors.slice(0, floor + 1).flat()), pathNot: inRoom([room]) },
  })),
)

export default {
  forbidden: [
    ...upwards,
    {
      name: 'room-on-a-floor',
      comment: 'a new folder of src needs a place in `floors`',
      severity: 'error',
      from: { path: '^src/', pathNot: inRoom(floors.flat()) },
      to: {},
    },
    {
      name: 'stages-apart',
      comment: 'stages share code through stages/shared only',
      severity: 'error',
      from: { path: '^src/stages/([^/]+)/', pathNot: '^src/stages/shared/' },
      to: { path: '^src/stages/', pathNot: ['^src/stages/$1/', '^src/stages/shared/'] },
    },
    {
      name: 'shared-below-stages',
      severity: 'error',
      from: { path: '^src/stages/shared/' },
      to: { path: '^src/stages/', pathNot: '^src/stages/shared/' },
    },
    {
      name: 'onnx-runtime-without-telemetry',
      comment: 'src/runtime/onnxRuntime.ts disables telemetry before it loads the library',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/runtime/onnxRuntime\\.ts$' },
      to: { path: 'onnxruntime-node' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    // TypeScript 7 has no API that dependency-cruiser could parse with.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
}
