import protobuf from 'protobufjs'

/** The part of TensorFlow's graph format that we write (tensorflow/core/protobuf/saved_model.proto and what it imports). */
const source = `
syntax = "proto3";
message SavedModel { int64 saved_model_schema_version = 1; repeated MetaGraphDef meta_graphs = 2; }
message MetaGraphDef { MetaInfoDef meta_info_def = 1; GraphDef graph_def = 2; }
message MetaInfoDef { repeated string tags = 4; }
message GraphDef { repeated NodeDef node = 1; VersionDef versions = 4; }
message VersionDef { int32 producer = 1; }
message NodeDef { string name = 1; string op = 2; repeated string input = 3; map<string, AttrValue> attr = 5; }
message AttrValue {
  oneof value {
    bytes s = 2; int64 i = 3; float f = 4; bool b = 5; int32 type = 6;
    TensorShapeProto shape = 7; TensorProto tensor = 8; ListValue list = 1;
  }
}
message ListValue { repeated int64 i = 3; repeated int32 type = 6; repeated TensorShapeProto shape = 7; }
message TensorShapeProto { repeated Dim dim = 2; bool unknown_rank = 3; }
message Dim { int64 size = 1; }
message TensorProto { int32 dtype = 1; TensorShapeProto tensor_shape = 2; bytes tensor_content = 4; }
`

export interface AttrValue {
  s?: Uint8Array
  i?: number
  f?: number
  b?: boolean
  type?: number
  shape?: { dim: { size: number }[] }
  tensor?: { dtype: number; tensorShape: { dim: { size: number }[] }; tensorContent: Uint8Array }
  list?: { type?: number[]; shape?: { dim: { size: number }[] }[] }
}

export interface NodeDef {
  name: string
  op: string
  input: string[]
  attr: Record<string, AttrValue>
}

const SavedModel = protobuf.parse(source).root.lookupType('SavedModel')

/** Bytes of a `saved_model.pb` that holds `nodes` under the tag "serve". */
export function encodeSavedModel(nodes: NodeDef[]): Uint8Array {
  // Producer 1087 marks a graph as written for TensorFlow 2.9, the oldest that we run on.
  const graphDef = { node: nodes, versions: { producer: 1087 } }
  const metaGraphs = [{ metaInfoDef: { tags: ['serve'] }, graphDef }]
  return SavedModel.encode(SavedModel.fromObject({ savedModelSchemaVersion: 1, metaGraphs })).finish()
}
