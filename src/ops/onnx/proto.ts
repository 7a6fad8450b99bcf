import protobuf from 'protobufjs'
import type { DType, Shape } from '../tensor.js'

/** The part of the ONNX format that we write (onnx/onnx.proto3). */
const source = `
syntax = "proto3";
message ModelProto { int64 ir_version = 1; string producer_name = 2; string producer_version = 3; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8; repeated StringStringEntryProto metadata_props = 14; }
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message StringStringEntryProto { string key = 1; string value = 2; }
message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; string doc_string = 10;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5; }
message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8; int32 type = 20; }
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9;
  repeated StringStringEntryProto external_data = 13; int32 data_location = 14; }
message ValueInfoProto { string name = 1; TypeProto type = 2; string doc_string = 3; }
message TypeProto { Tensor tensor_type = 1; message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; } }
message TensorShapeProto { repeated Dimension dim = 1; message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } } }
`

/** ONNX's numbers for element types. */
export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const

export interface NodeProto {
  name: string
  opType: string
  input: string[]
  output: string[]
  attribute: { name: string; type: number; f?: number; i?: number; ints?: number[] }[]
}

export interface TensorProto {
  name: string
  dims: readonly number[]
  dataType: number
  rawData?: Uint8Array
  dataLocation?: number
  externalData?: { key: string; value: string }[]
}

export interface ValueInfo {
  name: string
  type: { tensorType: { elemType: number; shape: { dim: ({ dimValue: number } | { dimParam: string })[] } } }
}

export interface GraphProto {
  name: string
  node: NodeProto[]
  initializer: TensorProto[]
  input: ValueInfo[]
  output: ValueInfo[]
}

/** Name of the unknown first dimension of an input or output; dimensions of the same name are equal at run time. */
export type RowsName = (name: string) => string

/** Description of an input or output; further unknown dimensions are named by the value and their position. */
export function valueInfo(name: string, shape: Shape, dtype: DType | 'int64', rows: RowsName): ValueInfo {
  const dim = shape.map((d, i) => (d !== -1 ? { dimValue: d } : { dimParam: i === 0 ? rows(name) : `${name}_${i}` }))
  return { name, type: { tensorType: { elemType: elementTypes[dtype], shape: { dim } } } }
}

const ModelProto = protobuf.parse(source).root.lookupType('ModelProto')

export const opset = 17

export function encodeModel(graph: GraphProto, metadata: Record<string, string> = {}): Uint8Array {
  const model = {
    irVersion: 8,
    producerName: 'mim',
    graph,
    opsetImport: [{ domain: '', version: opset }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }
  return ModelProto.encode(ModelProto.fromObject(model)).finish()
}
