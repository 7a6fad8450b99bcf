;; Loops over float32 arrays in the heap of the WASM backend, four numbers at a time. Places and lines are in bytes,
;; counts and widths in numbers. `simdModule.ts` holds it compiled.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; out [m, n] += aᵀ b of a [k, m] and b [k, n], n a multiple of 4. It is worth it for few columns and many rows: rows go
  ;; by in blocks that stay in the nearest cache, each summed from zero, for the sake of precision.
  (func (export "productOfColumns")
    (param $a i32) (param $b i32) (param $out i32) (param $k i32) (param $m i32) (param $n i32)
    (local $rows i32) (local $i i32) (local $j i32) (local $tall i32) (local $aLine i32) (local $bLine i32)
    (local $at i32) (local $r i32)
    (local.set $aLine (i32.shl (local.get $m) (i32.const 2)))
    (local.set $bLine (i32.shl (local.get $n) (i32.const 2)))
    (block $done
      (loop $blocks
        (br_if $done (i32.eqz (local.get $k)))
        (local.set $rows (select (local.get $k) (i32.const 128) (i32.lt_u (local.get $k) (i32.const 128))))
        (local.set $i (i32.const 0))
        (loop $columnsOfA
          ;; Four columns of a at once, or one where fewer are left.
          (local.set $tall (i32.le_u (i32.add (local.get $i) (i32.const 4)) (local.get $m)))
          (local.set $at (i32.add (local.get $out) (i32.mul (local.get $i) (local.get $bLine))))
          (local.set $j (i32.const 0))
          (loop $columnsOfB
            (if (i32.and (local.get $tall) (i32.le_u (i32.add (local.get $j) (i32.const 32)) (local.get $bLine)))
              (then
                (call $tile4x8
                  (i32.add (local.get $a) (i32.shl (local.get $i) (i32.const 2)))
                  (i32.add (local.get $b) (local.get $j))
                  (i32.add (local.get $at) (local.get $j))
                  (local.get $rows) (local.get $aLine) (local.get $bLine))
                (local.set $j (i32.add (local.get $j) (i32.const 32))))
              (else
                (local.set $r (i32.const 0))
                (loop $lines
                  (call $tile1x4
                    (i32.add (local.get $a) (i32.shl (i32.add (local.get $i) (local.get $r)) (i32.const 2)))
                    (i32.add (local.get $b) (local.get $j))
                    (i32.add (i32.add (local.get $at) (i32.mul (local.get $r) (local.get $bLine))) (local.get $j))
                    (local.get $rows) (local.get $aLine) (local.get $bLine))
                  (br_if $lines
                    (i32.and
                      (i32.lt_u (local.tee $r (i32.add (local.get $r) (i32.const 1))) (i32.const 4))
                      (local.get $tall))))
                (local.set $j (i32.add (local.get $j) (i32.const 16)))))
            (br_if $columnsOfB (i32.lt_u (local.get $j) (local.get $bLine))))
          (local.set $i (i32.add (local.get $i) (select (i32.const 4) (i32.const 1) (local.get $tall))))
          (br_if $columnsOfA (i32.lt_u (local.get $i) (local.get $m))))
        (local.set $a (i32.add (local.get $a) (i32.mul (local.get $rows) (local.get $aLine))))
        (local.set $b (i32.add (local.get $b) (i32.mul (local.get $rows) (local.get $bLine))))
        (local.set $k (i32.sub (local.get $k) (local.get $rows)))
        (br $blocks))))

  (func $tile4x8
    (param $a i32) (param $b i32) (param $out i32) (param $rows i32) (param $aLine i32) (param $bLine i32)
    (local $x v128) (local $y v128) (local $s v128)
    (local $c0 v128) (local $c1 v128) (local $c2 v128) (local $c3 v128)
    (local $d0 v128) (local $d1 v128) (local $d2 v128) (local $d3 v128)
    (loop $down
      (local.set $x (v128.load (local.get $b)))
      (local.set $y (v128.load offset=16 (local.get $b)))
      (local.set $s (v128.load32_splat (local.get $a)))
      (local.set $c0 (f32x4.add (local.get $c0) (f32x4.mul (local.get $s) (local.get $x))))
      (local.set $d0 (f32x4.add (local.get $d0) (f32x4.mul (local.get $s) (local.get $y))))
      (local.set $s (v128.load32_splat offset=4 (local.get $a)))
      (local.set $c1 (f32x4.add (local.get $c1) (f32x4.mul (local.get $s) (local.get $x))))
      (local.set $d1 (f32x4.add (local.get $d1) (f32x4.mul (local.get $s) (local.get $y))))
      (local.set $s (v128.load32_splat offset=8 (local.get $a)))
      (local.set $c2 (f32x4.add (local.get $c2) (f32x4.mul (local.get $s) (local.get $x))))
      (local.set $d2 (f32x4.add (local.get $d2) (f32x4.mul (local.get $s) (local.get $y))))
      (local.set $s (v128.load32_splat offset=12 (local.get $a)))
      (local.set $c3 (f32x4.add (local.get $c3) (f32x4.mul (local.get $s) (local.get $x))))
      (local.set $d3 (f32x4.add (local.get $d3) (f32x4.mul (local.get $s) (local.get $y))))
      (local.set $a (i32.add (local.get $a) (local.get $aLine)))
      (local.set $b (i32.add (local.get $b) (local.get $bLine)))
      (br_if $down (local.tee $rows (i32.sub (local.get $rows) (i32.const 1)))))
    (call $addTo (local.get $out) (local.get $c0))
    (call $addTo (i32.add (local.get $out) (i32.const 16)) (local.get $d0))
    (local.set $out (i32.add (local.get $out) (local.get $bLine)))
    (call $addTo (local.get $out) (local.get $c1))
    (call $addTo (i32.add (local.get $out) (i32.const 16)) (local.get $d1))
    (local.set $out (i32.add (local.get $out) (local.get $bLine)))
    (call $addTo (local.get $out) (local.get $c2))
    (call $addTo (i32.add (local.get $out) (i32.const 16)) (local.get $d2))
    (local.set $out (i32.add (local.get $out) (local.get $bLine)))
    (call $addTo (local.get $out) (local.get $c3))
    (call $addTo (i32.add (local.get $out) (i32.const 16)) (local.get $d3)))

  (func $tile1x4
    (param $a i32) (param $b i32) (param $out i32) (param $rows i32) (param $aLine i32) (param $bLine i32)
    (local $c v128)
    (loop $down
      (local.set $c
        (f32x4.add (local.get $c) (f32x4.mul (v128.load32_splat (local.get $a)) (v128.load (local.get $b)))))
      (local.set $a (i32.add (local.get $a) (local.get $aLine)))
      (local.set $b (i32.add (local.get $b) (local.get $bLine)))
      (br_if $down (local.tee $rows (i32.sub (local.get $rows) (i32.const 1)))))
    (call $addTo (local.get $out) (local.get $c)))

  (func $addTo (param $out i32) (param $x v128)
    (v128.store (local.get $out) (f32x4.add (v128.load (local.get $out)) (local.get $x))))

  ;; out [m] = a b of a [m, k] and b [k]: a column alone.
  (func (export "productOfRows") (param $a i32) (param $b i32) (param $out i32) (param $m i32) (param $k i32)
    (local $end i32) (local $line i32) (local $lineEnd i32) (local $with i32) (local $sum v128) (local $rest f32)
    (local.set $line (i32.shl (local.get $k) (i32.const 2)))
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $m) (i32.const 2))))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (local.set $lineEnd (i32.add (local.get $a) (local.get $line)))
        (local.set $with (local.get $b))
        (local.set $sum (v128.const f32x4 0 0 0 0))
        (local.set $rest (f32.const 0))
        (block $full
          (loop $fours
            (br_if $full (i32.gt_u (i32.add (local.get $a) (i32.const 16)) (local.get $lineEnd)))
            (local.set $sum
              (f32x4.add (local.get $sum) (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $with)))))
            (local.set $a (i32.add (local.get $a) (i32.const 16)))
            (local.set $with (i32.add (local.get $with) (i32.const 16)))
            (br $fours)))
        (block $whole
          (loop $ones
            (br_if $whole (i32.ge_u (local.get $a) (local.get $lineEnd)))
            (local.set $rest
              (f32.add (local.get $rest) (f32.mul (f32.load (local.get $a)) (f32.load (local.get $with)))))
            (local.set $a (i32.add (local.get $a) (i32.const 4)))
            (local.set $with (i32.add (local.get $with) (i32.const 4)))
            (br $ones)))
        (local.set $rest
          (f32.add (local.get $rest)
            (f32.add
              (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
              (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum))))))
        (f32.store (local.get $out) (local.get $rest))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $rows))))

  ;; Row ids[j] of out, all of `width` numbers, grows by row j of values.
  (func (export "segmentSum")
    (param $values i32) (param $ids i32) (param $out i32) (param $count i32) (param $width i32)
    (local $end i32) (local $to i32) (local $line i32) (local $lineEnd i32)
    (local.set $line (i32.shl (local.get $width) (i32.const 2)))
    (local.set $end (i32.add (local.get $ids) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $ids) (local.get $end)))
        (local.set $to (i32.add (local.get $out) (i32.mul (i32.load (local.get $ids)) (local.get $line))))
        (local.set $lineEnd (i32.add (local.get $values) (local.get $line)))
        (block $full
          (loop $fours
            (br_if $full (i32.gt_u (i32.add (local.get $values) (i32.const 16)) (local.get $lineEnd)))
            (call $addTo (local.get $to) (v128.load (local.get $values)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (local.set $values (i32.add (local.get $values) (i32.const 16)))
            (br $fours)))
        (block $whole
          (loop $ones
            (br_if $whole (i32.ge_u (local.get $values) (local.get $lineEnd)))
            (f32.store (local.get $to) (f32.add (f32.load (local.get $to)) (f32.load (local.get $values))))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))
            (local.set $values (i32.add (local.get $values) (i32.const 4)))
            (br $ones)))
        (local.set $ids (i32.add (local.get $ids) (i32.const 4)))
        (br $rows))))

  ;; Row j of out is row ids[j] of x, all of `width` numbers.
  (func (export "gatherRows")
    (param $x i32) (param $ids i32) (param $out i32) (param $count i32) (param $width i32)
    (local $end i32) (local $from i32) (local $line i32) (local $lineEnd i32)
    (local.set $line (i32.shl (local.get $width) (i32.const 2)))
    (local.set $end (i32.add (local.get $ids) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $ids) (local.get $end)))
        (local.set $from (i32.add (local.get $x) (i32.mul (i32.load (local.get $ids)) (local.get $line))))
        (local.set $lineEnd (i32.add (local.get $out) (local.get $line)))
        (block $full
          (loop $fours
            (br_if $full (i32.gt_u (i32.add (local.get $out) (i32.const 16)) (local.get $lineEnd)))
            (v128.store (local.get $out) (v128.load (local.get $from)))
            (local.set $from (i32.add (local.get $from) (i32.const 16)))
            (local.set $out (i32.add (local.get $out) (i32.const 16)))
            (br $fours)))
        (block $whole
          (loop $ones
            (br_if $whole (i32.ge_u (local.get $out) (local.get $lineEnd)))
            (i32.store (local.get $out) (i32.load (local.get $from)))
            (local.set $from (i32.add (local.get $from) (i32.const 4)))
            (local.set $out (i32.add (local.get $out) (i32.const 4)))
            (br $ones)))
        (local.set $ids (i32.add (local.get $ids) (i32.const 4)))
        (br $rows))))

  ;; Rows and columns of each of `matrices` [rows, columns] in x change place; by 32 rows, for the sake of the cache.
  (func (export "turn")
    (param $x i32) (param $out i32) (param $matrices i32) (param $rows i32) (param $columns i32)
    (local $evenRows i32) (local $evenColumns i32) (local $top i32) (local $bottom i32) (local $column i32) (local $row i32)
    (local $inLine i32) (local $outLine i32) (local $from i32) (local $to i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $ab v128) (local $cd v128)
    (local.set $inLine (i32.shl (local.get $columns) (i32.const 2)))
    (local.set $outLine (i32.shl (local.get $rows) (i32.const 2)))
    (local.set $evenRows (i32.and (local.get $rows) (i32.const -4)))
    (local.set $evenColumns (i32.and (local.get $columns) (i32.const -4)))
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $matrices)))
        (local.set $top (i32.const 0))
        (block $below
          (loop $bands
            (br_if $below (i32.ge_u (local.get $top) (local.get $evenRows)))
            (local.set $bottom (i32.add (local.get $top) (i32.const 32)))
            (local.set $bottom
              (select (local.get $bottom) (local.get $evenRows) (i32.lt_u (local.get $bottom) (local.get $evenRows))))
            (local.set $column (i32.const 0))
            (block $right
              (loop $across
                (br_if $right (i32.ge_u (local.get $column) (local.get $evenColumns)))
                (local.set $row (local.get $top))
                (loop $down
                  (local.set $from
                    (i32.add (i32.add (local.get $x) (i32.mul (local.get $row) (local.get $inLine)))
                      (i32.shl (local.get $column) (i32.const 2))))
                  (local.set $a (v128.load (local.get $from)))
                  (local.set $b (v128.load (local.tee $from (i32.add (local.get $from) (local.get $inLine)))))
                  (local.set $c (v128.load (local.tee $from (i32.add (local.get $from) (local.get $inLine)))))
                  (local.set $d (v128.load (i32.add (local.get $from) (local.get $inLine))))
                  (local.set $to
                    (i32.add (i32.add (local.get $out) (i32.mul (local.get $column) (local.get $outLine)))
                      (i32.shl (local.get $row) (i32.const 2))))
                  (local.set $ab
                    (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b)))
                  (local.set $cd
                    (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $c) (local.get $d)))
                  (v128.store (local.get $to)
                    (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $cd)))
                  (v128.store (local.tee $to (i32.add (local.get $to) (local.get $outLine)))
                    (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $cd)))
                  (local.set $ab
                    (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b)))
                  (local.set $cd
                    (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $c) (local.get $d)))
                  (v128.store (local.tee $to (i32.add (local.get $to) (local.get $outLine)))
                    (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $cd)))
                  (v128.store (i32.add (local.get $to) (local.get $outLine))
                    (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $cd)))
                  (br_if $down
                    (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4))) (local.get $bottom))))
                (local.set $column (i32.add (local.get $column) (i32.const 4)))
                (br $across)))
            (local.set $top (local.get $bottom))
            (br $bands)))
        ;; What is left at the right, then below.
        (call $turnPart (local.get $x) (local.get $out) (local.get $rows) (local.get $columns)
          (i32.const 0) (local.get $evenColumns))
        (call $turnPart (local.get $x) (local.get $out) (local.get $rows) (local.get $columns)
          (local.get $evenRows) (i32.const 0))
        (local.set $x (i32.add (local.get $x) (i32.mul (local.get $rows) (local.get $inLine))))
        (local.set $out (i32.add (local.get $out) (i32.mul (local.get $rows) (local.get $inLine))))
        (local.set $matrices (i32.sub (local.get $matrices) (i32.const 1)))
        (br $each))))

  ;; The rows from `top` and columns from `left` on, number by number.
  (func $turnPart
    (param $x i32) (param $out i32) (param $rows i32) (param $columns i32) (param $top i32) (param $left i32)
    (local $column i32)
    (block $done
      (loop $down
        (br_if $done (i32.ge_u (local.get $top) (local.get $rows)))
        (local.set $column (local.get $left))
        (block $end
          (loop $across
            (br_if $end (i32.ge_u (local.get $column) (local.get $columns)))
            (i32.store
              (i32.add (local.get $out)
                (i32.shl (i32.add (i32.mul (local.get $column) (local.get $rows)) (local.get $top)) (i32.const 2)))
              (i32.load
                (i32.add (local.get $x)
                  (i32.shl (i32.add (i32.mul (local.get $top) (local.get $columns)) (local.get $column)) (i32.const 2)))))
            (local.set $column (i32.add (local.get $column) (i32.const 1)))
            (br $across)))
        (local.set $top (i32.add (local.get $top) (i32.const 1)))
        (br $down))))

  ;; out = dy · y · (1 − y), of `count` numbers.
  (func (export "sigmoidGrad") (param $y i32) (param $dy i32) (param $out i32) (param $count i32)
    (local $end i32) (local $a v128) (local $b f32)
    (local.set $end (i32.add (local.get $y) (i32.shl (local.get $count) (i32.const 2))))
    (block $full
      (loop $fours
        (br_if $full (i32.gt_u (i32.add (local.get $y) (i32.const 16)) (local.get $end)))
        (local.set $a (v128.load (local.get $y)))
        (v128.store (local.get $out)
          (f32x4.mul
            (v128.load (local.get $dy))
            (f32x4.mul (local.get $a) (f32x4.sub (v128.const f32x4 1 1 1 1) (local.get $a)))))
        (local.set $y (i32.add (local.get $y) (i32.const 16)))
        (local.set $dy (i32.add (local.get $dy) (i32.const 16)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br $fours)))
    (block $whole
      (loop $ones
        (br_if $whole (i32.ge_u (local.get $y) (local.get $end)))
        (local.set $b (f32.load (local.get $y)))
        (f32.store (local.get $out)
          (f32.mul (f32.load (local.get $dy)) (f32.mul (local.get $b) (f32.sub (f32.const 1) (local.get $b)))))
        (local.set $y (i32.add (local.get $y) (i32.const 4)))
        (local.set $dy (i32.add (local.get $dy) (i32.const 4)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $ones))))

  ;; out = dy where y > 0, else 0, of `count` numbers.
  (func (export "reluGrad") (param $y i32) (param $dy i32) (param $out i32) (param $count i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $y) (i32.shl (local.get $count) (i32.const 2))))
    (block $full
      (loop $fours
        (br_if $full (i32.gt_u (i32.add (local.get $y) (i32.const 16)) (local.get $end)))
        (v128.store (local.get $out)
          (v128.and
            (v128.load (local.get $dy))
            (f32x4.gt (v128.load (local.get $y)) (v128.const f32x4 0 0 0 0))))
        (local.set $y (i32.add (local.get $y) (i32.const 16)))
        (local.set $dy (i32.add (local.get $dy) (i32.const 16)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br $fours)))
    (block $whole
      (loop $ones
        (br_if $whole (i32.ge_u (local.get $y) (local.get $end)))
        (f32.store (local.get $out)
          (select (f32.load (local.get $dy)) (f32.const 0) (f32.gt (f32.load (local.get $y)) (f32.const 0))))
        (local.set $y (i32.add (local.get $y) (i32.const 4)))
        (local.set $dy (i32.add (local.get $dy) (i32.const 4)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $ones)))))
