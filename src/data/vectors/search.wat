;; The functions of `search.ts`: keys that ascend with the scores of items, and the positions of the highest keys.
;; Addresses are in bytes; counts, widths and rows are numbers; keys, rows and items are i32. `npm run wat` compiles it
;; into `searchModule.ts`.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; keys [count] = in how many of 128 signs the sketches of `items` [count] agree with the sketch of `target`.
  (func (export "agreements")
    (param $sketches i32) (param $items i32) (param $count i32) (param $target i32) (param $keys i32)
    (local $a i64) (local $b i64) (local $at i32) (local $end i32)
    (local.set $at (i32.add (local.get $sketches) (i32.shl (local.get $target) (i32.const 4))))
    (local.set $a (i64.load (local.get $at)))
    (local.set $b (i64.load offset=8 (local.get $at)))
    (local.set $end (i32.add (local.get $items) (i32.shl (local.get $count) (i32.const 2))))
    (loop $each
      (local.set $at (i32.add (local.get $sketches) (i32.shl (i32.load (local.get $items)) (i32.const 4))))
      (i32.store (local.get $keys)
        (i32.sub
          (i32.const 128)
          (i32.wrap_i64
            (i64.add
              (i64.popcnt (i64.xor (local.get $a) (i64.load (local.get $at))))
              (i64.popcnt (i64.xor (local.get $b) (i64.load offset=8 (local.get $at))))))))
      (local.set $keys (i32.add (local.get $keys) (i32.const 4)))
      (br_if $each
        (i32.ne (local.tee $items (i32.add (local.get $items) (i32.const 4))) (local.get $end)))))

  ;; keys [count] = products of the vectors [.., width] of `rows` [count] with the vector of row `target`, float32, in
  ;; eight sums. The bits of floats, read as integers, have the same order once those of negative floats are inverted.
  (func (export "productsOfFloats")
    (param $vectors i32) (param $width i32) (param $rows i32) (param $count i32) (param $target i32) (param $keys i32)
    (local $line i32) (local $whole i32) (local $end i32) (local $v i32) (local $t i32) (local $key i32)
    (local $a v128) (local $b v128)
    (local $maskA v128) (local $maskB v128) (local $lastA v128) (local $lastB v128)
    (local.set $line (i32.shl (local.get $width) (i32.const 2)))
    (local.set $target (i32.add (local.get $vectors) (i32.mul (local.get $target) (local.get $line))))
    ;; Blocks of eight numbers up to `whole`; the last one is masked to the width.
    (local.set $whole (i32.and (local.get $line) (i32.const -32)))
    (local.set $a (i32x4.splat (i32.and (local.get $width) (i32.const 7))))
    (local.set $maskA (i32x4.gt_s (local.get $a) (v128.const i32x4 0 1 2 3)))
    (local.set $maskB (i32x4.gt_s (local.get $a) (v128.const i32x4 4 5 6 7)))
    (local.set $end (i32.add (local.get $target) (local.get $whole)))
    (local.set $lastA (v128.and (local.get $maskA) (v128.load (local.get $end))))
    (local.set $lastB (v128.and (local.get $maskB) (v128.load offset=16 (local.get $end))))
    (local.set $count (i32.add (local.get $rows) (i32.shl (local.get $count) (i32.const 2))))
    (loop $each
      (local.set $v (i32.add (local.get $vectors) (i32.mul (i32.load (local.get $rows)) (local.get $line))))
      (local.set $t (i32.add (local.get $v) (local.get $whole)))
      (local.set $a (f32x4.mul (local.get $lastA) (v128.and (local.get $maskA) (v128.load (local.get $t)))))
      (local.set $b (f32x4.mul (local.get $lastB) (v128.and (local.get $maskB) (v128.load offset=16 (local.get $t)))))
      (local.set $t (local.get $target))
      (if (local.get $whole)
        (then
          (loop $blocks
            (local.set $a
              (f32x4.add (local.get $a) (f32x4.mul (v128.load (local.get $v)) (v128.load (local.get $t)))))
            (local.set $b
              (f32x4.add
                (local.get $b)
                (f32x4.mul (v128.load offset=16 (local.get $v)) (v128.load offset=16 (local.get $t)))))
            (local.set $v (i32.add (local.get $v) (i32.const 32)))
            (br_if $blocks (i32.ne (local.tee $t (i32.add (local.get $t) (i32.const 32))) (local.get $end))))))
      (local.set $a (f32x4.add (local.get $a) (local.get $b)))
      (local.set $a
        (f32x4.add
          (local.get $a)
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $a) (local.get $a))))
      ;; Zero is added last: it turns -0 into 0, which must have the same key.
      (local.set $key
        (i32.reinterpret_f32
          (f32.add
            (f32.add (f32x4.extract_lane 0 (local.get $a)) (f32x4.extract_lane 1 (local.get $a)))
            (f32.const 0))))
      (i32.store (local.get $keys)
        (i32.xor
          (local.get $key)
          (i32.shr_u (i32.shr_s (local.get $key) (i32.const 31)) (i32.const 1))))
      (local.set $keys (i32.add (local.get $keys) (i32.const 4)))
      (br_if $each (i32.ne (local.tee $rows (i32.add (local.get $rows) (i32.const 4))) (local.get $count)))))

  ;; The same for int8 vectors; products are exact.
  (func (export "productsOfBytes")
    (param $vectors i32) (param $width i32) (param $rows i32) (param $count i32) (param $target i32) (param $keys i32)
    (local $whole i32) (local $end i32) (local $v i32) (local $t i32)
    (local $sum v128) (local $mask v128) (local $last v128)
    (local.set $target (i32.add (local.get $vectors) (i32.mul (local.get $target) (local.get $width))))
    ;; Blocks of sixteen numbers.
    (local.set $whole (i32.and (local.get $width) (i32.const -16)))
    (local.set $mask
      (i8x16.gt_s
        (i8x16.splat (i32.and (local.get $width) (i32.const 15)))
        (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))
    (local.set $end (i32.add (local.get $target) (local.get $whole)))
    (local.set $last (v128.and (local.get $mask) (v128.load (local.get $end))))
    (local.set $count (i32.add (local.get $rows) (i32.shl (local.get $count) (i32.const 2))))
    (loop $each
      (local.set $v (i32.add (local.get $vectors) (i32.mul (i32.load (local.get $rows)) (local.get $width))))
      (local.set $sum (call $sums (local.get $last) (v128.load (i32.add (local.get $v) (local.get $whole)))))
      (local.set $t (local.get $target))
      (if (local.get $whole)
        (then
          (loop $blocks
            (local.set $sum
              (i32x4.add (local.get $sum) (call $sums (v128.load (local.get $v)) (v128.load (local.get $t)))))
            (local.set $v (i32.add (local.get $v) (i32.const 16)))
            (br_if $blocks (i32.ne (local.tee $t (i32.add (local.get $t) (i32.const 16))) (local.get $end))))))
      (i32.store (local.get $keys) (call $across (local.get $sum)))
      (local.set $keys (i32.add (local.get $keys) (i32.const 4)))
      (br_if $each (i32.ne (local.tee $rows (i32.add (local.get $rows) (i32.const 4))) (local.get $count)))))

  ;; The inner product of sixteen int8 with sixteen others as four partial sums.
  (func $sums (param $x v128) (param $y v128) (result v128)
    (i32x4.add
      (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $x)) (i16x8.extend_low_i8x16_s (local.get $y)))
      (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $x)) (i16x8.extend_high_i8x16_s (local.get $y)))))

  (func $across (param $x v128) (result i32)
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $x)) (i32x4.extract_lane 1 (local.get $x)))
      (i32.add (i32x4.extract_lane 2 (local.get $x)) (i32x4.extract_lane 3 (local.get $x)))))

  ;; positions [k] = positions of the k highest of `keys` [count], ascending; of equal ones the last. Overwrites the 16
  ;; bytes after the keys. Bisection finds the k-th highest key: counting costs less than a sort's mispredicted branches.
  (func (export "highest") (param $keys i32) (param $count i32) (param $k i32) (param $positions i32)
    (local $at i32) (local $end i32) (local $low i32) (local $high i32) (local $middle i32)
    (local $above i32) (local $higher i32) (local $room i32) (local $key i32) (local $equal i32)
    (local $x v128) (local $y v128) (local $z v128)
    (local.set $end (i32.add (local.get $keys) (i32.shl (local.get $count) (i32.const 2))))
    (v128.store (local.get $end) (v128.load32_splat (i32.sub (local.get $end) (i32.const 4))))
    (local.set $at (local.get $keys))
    (local.set $y (local.tee $x (v128.load (local.get $at))))
    (loop $range
      (local.set $z (v128.load (local.get $at)))
      (local.set $x (i32x4.min_s (local.get $x) (local.get $z)))
      (local.set $y (i32x4.max_s (local.get $y) (local.get $z)))
      (br_if $range (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    (local.set $z (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x)))
    (local.set $x (i32x4.min_s (local.get $x) (local.get $z)))
    (local.set $z (i8x16.shuffle 4 5 6 7 0 1 2 3 8 9 10 11 12 13 14 15 (local.get $x) (local.get $x)))
    (local.set $low (i32x4.extract_lane 0 (i32x4.min_s (local.get $x) (local.get $z))))
    (local.set $z (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $y) (local.get $y)))
    (local.set $y (i32x4.max_s (local.get $y) (local.get $z)))
    (local.set $z (i8x16.shuffle 4 5 6 7 0 1 2 3 8 9 10 11 12 13 14 15 (local.get $y) (local.get $y)))
    (local.set $high (i32x4.extract_lane 0 (i32x4.max_s (local.get $y) (local.get $z))))
    ;; The padding after the keys is above no key.
    (v128.store (local.get $end) (i32x4.splat (i32.const 0x80000000)))
    ;; Invariant: `higher` keys, at most k, are above `high`; at least k keys are not below `low`.
    (block $found
      (loop $halve
        (br_if $found (i32.ge_s (local.get $low) (local.get $high)))
        (local.set $middle
          (i32.add
            (local.get $low)
            (i32.shr_u (i32.sub (local.get $high) (local.get $low)) (i32.const 1))))
        (local.set $x (i32x4.splat (local.get $middle)))
        (local.set $y (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $keys))
        (loop $counting
          (local.set $y (i32x4.sub (local.get $y) (i32x4.gt_s (v128.load (local.get $at)) (local.get $x))))
          (br_if $counting (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
        (local.set $above (call $across (local.get $y)))
        (if (i32.gt_u (local.get $above) (local.get $k))
          (then (local.set $low (i32.add (local.get $middle) (i32.const 1))))
          (else
            (local.set $high (local.get $middle))
            (br_if $found (i32.eq (local.tee $higher (local.get $above)) (local.get $k)))))
        (br $halve)))
    ;; Picks the keys above `high`, and as many equal to it as are missing, from the end.
    (local.set $room (i32.sub (local.get $k) (local.get $higher)))
    (local.set $positions (i32.sub (local.get $positions) (i32.const 4)))
    (local.set $at (local.get $count))
    (loop $pick
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (local.set $end (i32.sub (local.get $end) (i32.const 4)))
      (local.set $key (i32.load (local.get $end)))
      ;; Without a branch, which would often be mispredicted: a key that is not picked is overwritten by the next.
      (i32.store (i32.add (local.get $positions) (i32.shl (local.get $k) (i32.const 2))) (local.get $at))
      (local.set $equal (i32.eq (local.get $key) (local.get $high)))
      (local.set $k
        (i32.sub
          (local.get $k)
          (i32.or
            (i32.gt_s (local.get $key) (local.get $high))
            (i32.and (local.get $equal) (i32.gt_s (local.get $room) (i32.const 0))))))
      (local.set $room (i32.sub (local.get $room) (local.get $equal)))
      (br_if $pick (local.get $k)))))
