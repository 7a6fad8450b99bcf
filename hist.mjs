import { DuckDBInstance } from '@duckdb/node-api'

const i = await DuckDBInstance.create()
const c = await i.connect()
console.log(
  JSON.stringify(
    (
      await c.runAndReadAll(`select * from '${process.argv[2]}/history.parquet' order by step desc limit 2`)
    ).getRowsJson(),
  ),
  (await c.runAndReadAll(`describe from '${process.argv[2]}/history.parquet'`))
    .getRowsJson()
    .map((r) => r[0])
    .join(),
)
