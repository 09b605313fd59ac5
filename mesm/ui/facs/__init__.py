"""facs"""
