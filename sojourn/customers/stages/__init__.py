"""RFM groups and life-cycle stages: cut points computed over the stored customers, written as segments that people read."""
