;; The two passes of `resample.ts`, four channels of a pixel at a time. `npm run wat` compiles it into
;; `resampleModule.ts`.
(module
  (memory (export "memory") 1)

  ;; Resizes each of `rows` lines of pixels, `inLine` bytes apart, to `size` pixels of 4 bytes, in lines `outLine` bytes
  ;; apart. Output pixel x has count[x] input pixels from first[x], with weights at x times `stride` bytes.
  (func (export "alongRows")
    (param $in i32) (param $rows i32) (param $inLine i32) (param $out i32) (param $outLine i32) (param $size i32)
    (param $first i32) (param $count i32) (param $weights i32) (param $stride i32)
    (local $y i32) (local $x i32) (local $from i32) (local $weight i32) (local $end i32) (local $sum v128)
    (loop $lines
      (local.set $x (i32.const 0))
      (loop $pixels
        (local.set $from
          (i32.add (local.get $in)
            (i32.shl (i32.load (i32.add (local.get $first) (i32.shl (local.get $x) (i32.const 2)))) (i32.const 2))))
        (local.set $weight (i32.add (local.get $weights) (i32.mul (local.get $x) (local.get $stride))))
        (local.set $end
          (i32.add (local.get $weight)
            (i32.shl (i32.load (i32.add (local.get $count) (i32.shl (local.get $x) (i32.const 2)))) (i32.const 2))))
        (local.set $sum (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (loop $taps
          (local.set $sum
            (i32x4.add (local.get $sum)
              (i32x4.mul
                (v128.load32_splat (local.get $weight))
                (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $from)))))))
          (local.set $from (i32.add (local.get $from) (i32.const 4)))
          (br_if $taps
            (i32.lt_u (local.tee $weight (i32.add (local.get $weight) (i32.const 4))) (local.get $end))))
        (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
        (local.set $sum (i16x8.narrow_i32x4_s (local.get $sum) (local.get $sum)))
        (v128.store32_lane 0
          (i32.add (local.get $out) (i32.shl (local.get $x) (i32.const 2)))
          (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
        (br_if $pixels (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (local.get $size))))
      (local.set $in (i32.add (local.get $in) (local.get $inLine)))
      (local.set $out (i32.add (local.get $out) (local.get $outLine)))
      (br_if $lines (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (local.get $rows)))))

  ;; Resizes lines of `line` bytes, a multiple of 16, to `size` lines of 3 bytes per pixel, `outLine` bytes apart. It
  ;; writes beyond the end of a line; the next line overwrites that.
  (func (export "alongColumns")
    (param $in i32) (param $line i32) (param $out i32) (param $outLine i32) (param $size i32)
    (param $first i32) (param $count i32) (param $weights i32) (param $stride i32)
    (local $y i32) (local $x i32) (local $to i32) (local $from i32) (local $start i32) (local $weight i32) (local $end i32)
    (local $w v128) (local $half v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (loop $lines
      (local.set $start
        (i32.add (local.get $in)
          (i32.mul (local.get $line) (i32.load (i32.add (local.get $first) (i32.shl (local.get $y) (i32.const 2)))))))
      (local.set $end
        (i32.add (local.get $weights)
          (i32.shl (i32.load (i32.add (local.get $count) (i32.shl (local.get $y) (i32.const 2)))) (i32.const 2))))
      (local.set $x (i32.const 0))
      (local.set $to (local.get $out))
      (loop $pixels
        (local.set $from (i32.add (local.get $start) (local.get $x)))
        (local.set $weight (local.get $weights))
        (local.set $a (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $b (local.get $a))
        (local.set $c (local.get $a))
        (local.set $d (local.get $a))
        (loop $taps
          (local.set $w (v128.load32_splat (local.get $weight)))
          (local.set $half (v128.load64_zero (local.get $from)))
          (local.set $half (i16x8.extend_low_i8x16_u (local.get $half)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $half)))))
          (local.set $b (i32x4.add (local.get $b) (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $half)))))
          (local.set $half (i16x8.extend_low_i8x16_u (v128.load64_zero offset=8 (local.get $from))))
          (local.set $c (i32x4.add (local.get $c) (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $half)))))
          (local.set $d (i32x4.add (local.get $d) (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $half)))))
          (local.set $from (i32.add (local.get $from) (local.get $line)))
          (br_if $taps
            (i32.lt_u (local.tee $weight (i32.add (local.get $weight) (i32.const 4))) (local.get $end))))
        (v128.store (local.get $to)
          (i8x16.shuffle 0 1 2 4 5 6 8 9 10 12 13 14 3 7 11 15
            (i8x16.narrow_i16x8_u
              (i16x8.narrow_i32x4_s
                (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
              (i16x8.narrow_i32x4_s
                (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22))))
            (local.get $half)))
        (local.set $to (i32.add (local.get $to) (i32.const 12)))
        (br_if $pixels (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 16))) (local.get $line))))
      (local.set $out (i32.add (local.get $out) (local.get $outLine)))
      (local.set $weights (i32.add (local.get $weights) (local.get $stride)))
      (br_if $lines (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (local.get $size))))))
